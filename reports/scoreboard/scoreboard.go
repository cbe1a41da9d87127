// Package scoreboard holds subjects against each other: the figures of the same scenarios,
// run with each of them, in one table. A figure is compared to the best of its scenario,
// never to an absolute.
//
// It reads verdicts, runs nothing, and is written by `baton bench-subjects`.
package scoreboard

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"baton/scenarios/check"
	"baton/scenarios/plan"
)

// Run is one run of a scenario with a subject.
type Run struct {
	Plan         *plan.Plan
	Subject, Dir string
	Verdict      check.Verdict
}

// Board is a table: a row for each subject, of all scenarios or of each. What is written of
// all scenarios has a column for each subject.
type Board struct {
	Columns []Column
	Rows    []Row
	each    bool // a row is of one scenario
}

// Row is what runs of a subject came to.
type Row struct {
	Scenario string // "" for all
	Subject  string
	Verdicts string // "PASS", "2 PASS, 1 FAIL"
	Dir      string // of the run that came out worst
	Cells    []Cell // one a column
}

// Cell is a figure over the runs that measured it: the median of times, the worst of counts.
type Cell struct {
	Known bool
	Value float64
	// Times is the value over the best of the column; 0 where the best is 0 or the two
	// differ by less than a comparison tells.
	Times float64
	Best  bool
	Dir   string // of the run that has the value
}

// Each is the table with a row for each scenario and subject, in the order of the runs.
func Each(runs []Run) Board {
	b := Board{Columns: figures(), each: true}
	b.fill(runs, func(r Run) string { return r.Plan.Name })
	return b
}

// Whole is the table with a row for each subject: a column picks the scenarios that it is
// about.
func Whole(runs []Run) Board {
	b := Board{Columns: overall(runs)}
	b.fill(runs, func(Run) string { return "" })
	return b
}

// fill makes a row of the runs of each scenario, as of names it, and subject.
func (b *Board) fill(runs []Run, of func(Run) string) {
	type key struct{ scenario, subject string }
	var order []key
	found := map[key][]Run{}
	for _, r := range runs {
		k := key{of(r), r.Subject}
		if found[k] == nil {
			order = append(order, k)
		}
		found[k] = append(found[k], r)
	}
	for _, k := range order {
		own := found[k]
		row := Row{Scenario: k.scenario, Subject: k.subject, Verdicts: verdicts(own), Dir: worst(own).Dir}
		for _, c := range b.Columns {
			row.Cells = append(row.Cells, c.figure(own))
		}
		b.Rows = append(b.Rows, row)
	}
	b.rank()
}

// outcomes in the order in which they are told, the bad ones first.
var outcomes = []check.Outcome{check.Fail, check.Inconclusive, check.Skip, check.Pass}

// verdicts counts the outcomes.
func verdicts(runs []Run) string {
	var parts []string
	for _, outcome := range outcomes {
		n := 0
		for _, r := range runs {
			if r.Verdict.Verdict == outcome {
				n++
			}
		}
		switch {
		case n == len(runs) && n == 1:
			return string(outcome)
		case n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	return strings.Join(parts, ", ")
}

// worst is the first of the runs with the worst outcome.
func worst(runs []Run) Run {
	return slices.MinFunc(runs, func(a, b Run) int {
		return cmp.Compare(slices.Index(outcomes, a.Verdict.Verdict), slices.Index(outcomes, b.Verdict.Verdict))
	})
}

// figure is the column's metric over those of its runs that measured it and prove something.
func (c Column) figure(runs []Run) Cell {
	var measured []Cell
	for _, r := range runs {
		if value, ok := r.Verdict.Metrics[c.Metric.Name]; ok && r.Verdict.Verdict != check.Inconclusive && c.about(r.Plan) {
			measured = append(measured, Cell{Known: true, Value: value, Dir: r.Dir})
		}
	}
	if len(measured) == 0 {
		return Cell{}
	}
	slices.SortStableFunc(measured, func(a, b Cell) int { return cmp.Compare(a.Value, b.Value) })
	if c.Worst {
		return measured[len(measured)-1]
	}
	return measured[len(measured)/2]
}

// rank compares the cells of a column: those of each scenario, or all.
func (b *Board) rank() {
	for c, column := range b.Columns {
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
			case cell.Value-least < column.Metric.Least:
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
