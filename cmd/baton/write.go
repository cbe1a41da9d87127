package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"baton/scenarios/plan"
)

func newCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "new NAME",
		Short: "Write a new scenario with comments that list the alternatives of each line",
		Long: "New writes NAME.scn: a scenario that runs without an edit. A comment at each line lists the other things that\n" +
			"can stand there. An existing file is not overwritten.",
		Example:           "  baton new my-first-failure && baton lint my-first-failure.scn",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(_ *cobra.Command, args []string) error { return writeNew(dir, args[0]) },
	}
	c.Flags().StringVar(&dir, "dir", ".", "folder to write the file to")
	folder(c, "dir")
	return c
}

func writeNew(dir, name string) error {
	text, err := plan.Template(name)
	if err != nil {
		return badInput("new: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return badInput("--dir: %w", err)
	}
	defer root.Close()
	file, err := root.OpenFile(name+".scn", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return badInput("new: %s already exists", name+".scn")
	}
	if err != nil {
		return badInput("new: %w", err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	fmt.Printf("%s.scn: written; baton explain shows its timeline, baton run runs it\n", name)
	return nil
}

func explainCommand() *cobra.Command {
	var world string
	var set []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain FILE...",
		Short: "Show the timeline of scenarios: every time and window in milliseconds, and how it is computed",
		Long: "Explain prints when each step runs and over which window each expectation is judged, in milliseconds on the\n" +
			"scenario's clock, with all sums computed. Detect, hold and track are the configured values. A run uses the negotiated\n" +
			"values, which are never longer.",
		Example:           "  baton explain scenarios/crash-master.scn",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeScenarios,
		RunE:              func(_ *cobra.Command, files []string) error { return explain(files, world, set, asJSON) },
	}
	c.Flags().StringVar(&world, "world", plan.Netns, "the world for which to compute it: netns, sim")
	c.Flags().StringArrayVar(&set, "set", nil, "override a configuration key, as baton run does: [NODE.]KEY=VALUE")
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	must(c.RegisterFlagCompletionFunc("set", completeSetting))
	words(c, "world", plan.Netns, plan.Sim)
	return c
}

func explain(files []string, world string, set []string, asJSON bool) error {
	if world != plan.Netns && world != plan.Sim {
		return badInput("--world %q: the worlds are: netns, sim", world)
	}
	plans, err := parseAll(files)
	if err != nil {
		return err
	}
	var all []plan.Explanation
	for _, p := range plans {
		for _, text := range set {
			if err := p.Set(text); err != nil {
				return badInput("--set %s: %w", text, err)
			}
		}
		all = append(all, plan.Explain(p, world))
	}
	if asJSON {
		return printJSON(all)
	}
	for i, e := range all {
		if i > 0 {
			fmt.Println()
		}
		if err := printExplanation(e); err != nil {
			return err
		}
	}
	return nil
}

func printExplanation(e plan.Explanation) error {
	fmt.Printf("%s in %s\n", e.Scenario, e.World)
	for _, v := range e.Values {
		fmt.Printf("  %s = %s ms: %s\n", v.Name, number(v.MS), v.From)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  line\tat ms\twindow ms\twhat\twhere it comes from")
	for _, m := range e.Moments {
		line := strconv.Itoa(m.Line)
		if m.File != "" {
			line = m.File + ":" + line
		}
		window, from := "", []string{}
		if m.Window != nil {
			window, from = number(m.Window.FromMS)+"–"+number(m.Window.ToMS), append(from, m.Window.Why)
		}
		if m.Bound != "" {
			from = append(from, m.Bound)
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n", line, number(m.AtMS), window, m.What, strings.Join(from, "; "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, line := range e.NotExecuted {
		fmt.Printf("  not executed: %s\n", line)
	}
	return nil
}

// number writes milliseconds.
func number(ms float64) string { return strconv.FormatFloat(ms, 'f', -1, 64) }
