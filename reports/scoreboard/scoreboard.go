// Package scoreboard holds subjects against each other: the figures of the same scenarios,
// run with each of them, in one table. A figure is compared to the best of its scenario,
// never to an absolute.
//
// It reads verdicts, runs nothing, and is written by `baton bench-subjects`.
package scoreboard

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"baton/scenarios/check"
	"baton/scenarios/metric"
)

// Run is one run of a scenario with a subject.
type Run struct {
	Scenario, Subject, Dir string
	Verdict                check.Verdict
}

// Board is the table: a row for each scenario and subject, in the order of the runs.
type Board struct {
	Columns []metric.Metric
	Rows    []Row
}

// Row is what the runs of a scenario with a subject came to.
type Row struct {
	Scenario, Subject string
	Verdicts          string // "PASS", "2 PASS, 1 FAIL"
	Dir               string // of its first run
	Cells             []Cell // one a column
}

// Cell is a figure over the runs that measured it: the median of times, the worst of counts.
type Cell struct {
	Known bool
	Value float64
	// Times is the value over the best of the scenario; 0 where the best is 0 or the two
	// differ by less than a comparison tells.
	Times float64
	Best  bool
	Dir   string // of the run that has the value
}

// columns are the figures that clients and the wire show of every subject.
var columns = []string{"takeover_ms", "handover_ms", "gap_udp_max_ms", "gap_tcp_p50_ms", "gap_tcp_max_ms", "rst", "lost"}

// New makes the table.
func New(runs []Run) Board {
	var b Board
	for _, name := range columns {
		m, _ := metric.Of(name)
		b.Columns = append(b.Columns, m)
	}
	type key struct{ scenario, subject string }
	var order []key
	of := map[key][]Run{}
	for _, r := range runs {
		k := key{r.Scenario, r.Subject}
		if of[k] == nil {
			order = append(order, k)
		}
		of[k] = append(of[k], r)
	}
	for _, k := range order {
		row := Row{Scenario: k.scenario, Subject: k.subject, Verdicts: verdicts(of[k]), Dir: of[k][0].Dir}
		for _, m := range b.Columns {
			row.Cells = append(row.Cells, figure(m, of[k]))
		}
		b.Rows = append(b.Rows, row)
	}
	b.rank()
	return b
}

// verdicts counts the outcomes, the bad ones first.
func verdicts(runs []Run) string {
	var parts []string
	for _, outcome := range []check.Outcome{check.Fail, check.Inconclusive, check.Skip, check.Pass} {
		n := 0
		for _, r := range runs {
			if r.Verdict.Verdict == outcome {
				n++
			}
		}
		switch {
		case n == len(runs):
			return string(outcome)
		case n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	return strings.Join(parts, ", ")
}

// figure is a metric over the runs that measured it and prove something.
func figure(m metric.Metric, runs []Run) Cell {
	var measured []Cell
	for _, r := range runs {
		if value, ok := r.Verdict.Metrics[m.Name]; ok && r.Verdict.Verdict != check.Inconclusive {
			measured = append(measured, Cell{Known: true, Value: value, Dir: r.Dir})
		}
	}
	if len(measured) == 0 {
		return Cell{}
	}
	slices.SortStableFunc(measured, func(a, b Cell) int { return cmp.Compare(a.Value, b.Value) })
	if m.Unit == metric.Count {
		return measured[len(measured)-1]
	}
	return measured[len(measured)/2]
}

// rank compares the cells of each scenario and column.
func (b *Board) rank() {
	for c, m := range b.Columns {
		best := map[string]float64{}
		rivals := map[string]int{}
		for _, row := range b.Rows {
			if cell := row.Cells[c]; cell.Known {
				if least, ok := best[row.Scenario]; !ok || cell.Value < least {
					best[row.Scenario] = cell.Value
				}
				rivals[row.Scenario]++
			}
		}
		for _, row := range b.Rows {
			cell, least := &row.Cells[c], best[row.Scenario]
			switch {
			case !cell.Known || rivals[row.Scenario] < 2:
			case cell.Value-least < m.Least:
				cell.Best = true
			case least > 0:
				cell.Times = cell.Value / least
			}
		}
	}
}

// String is the cell as the table has it: the best has a star, another its multiple.
func (c Cell) String() string {
	if !c.Known {
		return "–"
	}
	text := strconv.FormatFloat(c.Value, 'f', -1, 64)
	if c.Value != float64(int(c.Value)) {
		text = strconv.FormatFloat(c.Value, 'f', 1, 64)
	}
	switch {
	case c.Best:
		return text + " *"
	case c.Times > 0:
		return fmt.Sprintf("%s ×%.1f", text, c.Times)
	}
	return text
}

// WriteText writes the table for a terminal.
func (b Board) WriteText(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "scenario\tsubject\tverdict")
	for _, m := range b.Columns {
		fmt.Fprint(table, "\t", m.Column())
	}
	fmt.Fprintln(table)
	last := ""
	for _, row := range b.Rows {
		scenario := row.Scenario
		if scenario == last {
			scenario = ""
		}
		last = row.Scenario
		fmt.Fprintf(table, "%s\t%s\t%s", scenario, row.Subject, row.Verdicts)
		for _, cell := range row.Cells {
			fmt.Fprint(table, "\t", cell)
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}

// WriteMarkdown writes the table for a page in the folder from: each cell opens its run.
func (b Board) WriteMarkdown(w io.Writer, from string) error {
	head := "| scenario | subject | verdict |"
	line := "|---|---|---|"
	for _, m := range b.Columns {
		head += " " + m.Column() + " |"
		line += "---|"
	}
	lines := []string{head, line}
	link := func(text, dir string) string {
		relative, err := filepath.Rel(from, dir)
		if err != nil || dir == "" {
			return text
		}
		return fmt.Sprintf("[%s](%s/)", text, filepath.ToSlash(relative))
	}
	for _, row := range b.Rows {
		text := fmt.Sprintf("| %s | %s | %s |", row.Scenario, row.Subject, link(row.Verdicts, row.Dir))
		for _, cell := range row.Cells {
			text += " " + link(cell.String(), cell.Dir) + " |"
		}
		lines = append(lines, text)
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
