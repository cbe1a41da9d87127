package reports

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"baton/reports/model"
	"baton/reports/sanitize"
	"baton/scenarios/check"
	"baton/scenarios/metric"
)

// columns of the table.
var columns = metric.Columns()

// Table prints a line for each run, the reasons of failures, the verdicts that differ from the stored
// ones, and the files that could not be read.
func Table(w io.Writer, s *model.Suite) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "\nscenario\tworld\tverdict")
	for _, c := range columns {
		fmt.Fprint(table, "\t", c.Column())
	}
	fmt.Fprintln(table)
	for _, row := range s.Rows {
		for _, i := range row.Runs {
			run := s.Runs[i]
			fmt.Fprintf(table, "%s\t%s\t%s%s", sanitize.Terminal(row.Scenario), sanitize.Terminal(row.World), sanitize.Terminal(run.Verdict), NotExecuted(row.Unexecuted))
			for _, c := range columns {
				fmt.Fprint(table, "\t", cell(run.Metrics, c.Name))
			}
			fmt.Fprintln(table)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, run := range s.Runs {
		tell(w, s.Rows[run.Row], run)
	}
	for _, row := range s.Rows {
		for _, line := range row.Unexecuted {
			fmt.Fprintf(w, "%s (%s): not executed: %s\n", sanitize.Terminal(row.Scenario), sanitize.Terminal(row.World), sanitize.Terminal(line))
		}
	}
	tellCoverage(w, s)
	for _, c := range s.Campaigns {
		fmt.Fprintf(w, "%s: %d of %d done, %d violations, %d inconclusive%s\n", sanitize.Terminal(c.Title), c.Done, c.Planned, len(c.Violations), c.Inconclusive, lacking(c))
	}
	if m := s.Mutants; m != nil {
		fmt.Fprintf(w, "mutants: %d killed, %d survived, %d no longer apply\n", m.Killed, m.Survived, m.Stale)
	}
	if c := s.Comparison; c != nil {
		fmt.Fprintf(w, "%s: against %s\n", c.Verdict, sanitize.Terminal(c.Base))
	}
	tellHistory(w, s.History)
	for _, p := range s.Problems {
		fmt.Fprintf(w, "%s: %s%s\n", sanitize.Terminal(place(p)), sanitize.Terminal(p.What), kept(p))
	}
	return nil
}

// NotExecuted returns the remark beside a verdict about lines of the scenario that were not executed,
// "" if all were.
func NotExecuted(lines []string) string {
	switch len(lines) {
	case 0:
		return ""
	case 1:
		return " (1 line not executed)"
	}
	return fmt.Sprintf(" (%d lines not executed)", len(lines))
}

// tell prints the answer and the reasons of a run, its stored verdict if that differs, and how to
// repeat it.
func tell(w io.Writer, row model.Row, run model.Run) {
	name := fmt.Sprintf("%s (%s)", sanitize.Terminal(row.Scenario), sanitize.Terminal(row.World))
	for _, sentence := range run.Answer {
		fmt.Fprintf(w, "%s: %s\n", name, sanitize.Terminal(sentence))
	}
	for _, reason := range run.Reasons {
		fmt.Fprintf(w, "%s: %s\n", name, sanitize.Terminal(reason))
	}
	if stored := run.Stored; stored != nil {
		switch {
		case stored.Only != "":
			fmt.Fprintf(w, "%s: not judged again: %s\n", name, sanitize.Terminal(stored.Only))
		default:
			changed := []string{fmt.Sprintf("judged again: %s, was %s", run.Verdict, stored.Verdict)}
			if len(stored.Changed) > 0 {
				changed = append(changed, strings.Join(stored.Changed, "; "))
			}
			fmt.Fprintf(w, "%s: %s\n", name, sanitize.Terminal(strings.Join(changed, ": ")))
		}
	}
	if run.Verdict != "PASS" && run.Verdict != "SKIP" {
		fmt.Fprintf(w, "  replay: %s\n  results: %s\n", sanitize.Terminal(run.Replay), sanitize.Terminal(run.Dir))
	}
}

// tellHistory names each change of level.
func tellHistory(w io.Writer, h *model.History) {
	if h == nil {
		return
	}
	changes := 0
	for _, t := range h.Trends {
		for _, c := range t.Changes {
			changes++
			fmt.Fprintf(w, "%s since %s: %s (%s) %s: %.1f, was %.1f (p %.2g)\n", c.Verdict, sanitize.Terminal(h.Batches[t.Points[c.Point].Batch]),
				sanitize.Terminal(t.Scenario), sanitize.Terminal(t.World), t.Metric, c.After, c.Before, c.P)
		}
	}
	fmt.Fprintf(w, "history: %d batches, %d figures, %d changes of level\n", len(h.Batches), len(h.Trends), changes)
}

func lacking(c model.Campaign) string {
	switch {
	case len(c.Lacking) > 0:
		return fmt.Sprintf(", %d of %d shards missing", len(c.Lacking), c.Shards)
	case c.Interrupted:
		return ", interrupted"
	}
	return ""
}

func kept(p model.Problem) string {
	if p.Kept == "" {
		return "; nothing of it is shown"
	}
	return "; kept: " + sanitize.Terminal(p.Kept)
}

// Figures returns the measured columns of the table as text.
func Figures(m check.Metrics) []string {
	var figures []string
	for _, c := range columns {
		if _, ok := m[c.Name]; ok {
			figures = append(figures, c.Column()+" "+cell(m, c.Name))
		}
	}
	return figures
}

// cell formats a metric for the table; "–" if it was not measured.
func cell(m map[string]float64, name string) string {
	value, ok := m[name]
	if !ok {
		return "–"
	}
	if value == float64(int64(value)) {
		return strconv.FormatInt(int64(value), 10)
	}
	return strconv.FormatFloat(value, 'f', 1, 64)
}
