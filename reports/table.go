package reports

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"baton/scenarios/check"
)

// columns of the table, by the metrics' names.
var columns = []struct{ title, metric string }{
	{"detect ms", "detect_ms"},
	{"takeover ms", "takeover_ms"},
	{"handover ms", "handover_ms"},
	{"udp gap ms", "gap_udp_max_ms"},
	{"tcp stall p50 ms", "gap_tcp_p50_ms"},
	{"RST", "rst"},
	{"lost", "lost"},
	{"sync ms", "sync_ms"},
}

// Table prints one line a run, and why those failed that did, with the folder
// where their evidence lies.
func Table(w io.Writer, dir string) error {
	runs, err := Load(dir)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "\nscenario\tworld\tverdict")
	for _, c := range columns {
		fmt.Fprint(table, "\t", c.title)
	}
	fmt.Fprintln(table)
	for _, run := range runs {
		fmt.Fprintf(table, "%s\t%s\t%s", run.Scenario, run.World, run.Verdict.Verdict)
		for _, c := range columns {
			fmt.Fprint(table, "\t", cell(run.Metrics, c.metric))
		}
		fmt.Fprintln(table)
	}
	if flushErr := table.Flush(); flushErr != nil {
		return flushErr
	}
	for _, run := range runs {
		for _, reason := range run.Reasons {
			fmt.Fprintf(w, "%s (%s): %s\n", run.Scenario, run.World, reason)
		}
	}
	fmt.Fprintf(w, "results: %s/*/result.json, trace.jsonl\n", dir)
	return err
}

// Figures are the table's columns in words, for those that were measured.
func Figures(m check.Metrics) []string {
	var figures []string
	for _, c := range columns {
		if _, ok := m[c.metric]; ok {
			figures = append(figures, c.title+" "+cell(m, c.metric))
		}
	}
	return figures
}

// cell is a metric as the table shows it: "–" where it was not measured.
func cell(m check.Metrics, name string) string {
	value, ok := m[name]
	if !ok {
		return "–"
	}
	if value == float64(int64(value)) {
		return strconv.FormatInt(int64(value), 10)
	}
	return strconv.FormatFloat(value, 'f', 1, 64)
}
