package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"baton/reports"
	"baton/reports/compare"
	"baton/reports/export"
	"baton/reports/model"
	"baton/reports/sanitize"
)

func compareCommand() *cobra.Command {
	var update, all, asJSON bool
	c := &cobra.Command{
		Use:   "compare BASE NEW",
		Short: "Compare the figures of repeated runs with those of earlier runs",
		Long: "Compare takes each figure of each scenario and world and says whether it is better, worse or the same, or whether there\n" +
			"are too few runs to tell. BASE and NEW are folders of stored runs or folders with a report.json. Ten repeats a side are enough.\n\n" +
			"Exit codes: 0 same or better, 1 worse, 2 bad input, 3 too few runs to compare any figure.",
		Example: "  baton compare reports/baseline out\n" +
			"  baton compare --update reports/baseline out   # make the figures of out the baseline",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeFolders,
		RunE: func(_ *cobra.Command, args []string) error {
			if update {
				return updateBaseline(args[0], args[1])
			}
			return compareRuns(args[0], args[1], all, asJSON)
		},
	}
	c.Flags().BoolVar(&update, "update", false, "store the figures of NEW as the baseline in BASE, without comparing")
	c.Flags().BoolVar(&all, "all", false, "also list figures that are the same")
	c.Flags().BoolVar(&asJSON, "json", false, "print the comparison as JSON, with the distribution of every figure")
	c.MarkFlagsMutuallyExclusive("update", "json")
	return c
}

func compareRuns(base, new string, all, asJSON bool) error {
	was, err := reports.Open(base)
	if err != nil {
		return badInput("BASE: %w", err)
	}
	now, err := reports.Open(new)
	if err != nil {
		return badInput("NEW: %w", err)
	}
	c := compare.Compare(base, new, was, now)
	if asJSON {
		err = printJSON(c)
	} else {
		err = printComparison(os.Stdout, c, all)
	}
	if err != nil {
		return err
	}
	switch {
	case len(c.Rows) == 0:
		return badInput("%s and %s share no figure of the same scenario and world", base, new)
	case c.Verdict == model.Worse:
		return &exitError{code: exitFail}
	case c.Verdict == model.TooFew:
		return &exitError{code: exitInconclusive}
	}
	return nil
}

// updateBaseline stores the figures of the runs, not the runs themselves.
func updateBaseline(base, new string) error {
	now, err := reports.Open(new)
	if err != nil {
		return badInput("NEW: %w", err)
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return badInput("BASE: %w", err)
	}
	file := filepath.Join(base, "report.json")
	if err := store(file, func(w io.Writer) error { return export.JSON(w, reports.Figured(now)) }); err != nil {
		return badInput("BASE: %w", err)
	}
	fmt.Printf("baseline: %s: %d scenarios, %d runs\n", file, len(now.Rows), len(now.Runs))
	return nil
}

func printComparison(w io.Writer, c *model.Comparison, all bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	same := 0
	for _, row := range c.Rows {
		if row.Verdict == model.Same && !all {
			same++
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", row.Verdict, sanitize.Terminal(row.Scenario), sanitize.Terminal(row.World), row.Metric, row.Why)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if same > 0 {
		fmt.Fprintf(w, "same: %d figures; --all shows them\n", same)
	}
	for _, remark := range c.Remarks {
		fmt.Fprintf(w, "remark: %s\n", sanitize.Terminal(remark))
	}
	_, err := fmt.Fprintf(w, "%s: %s against %s\n", c.Verdict, sanitize.Terminal(c.New), sanitize.Terminal(c.Base))
	return err
}
