// Package scoreboard compares subjects: it puts the figures of the same scenarios, run with each
// subject, into one table. A figure is compared with the best of its scenario, never with an
// absolute limit.
//
// It reads verdicts and runs nothing. `baton bench-subjects` calls it.
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

// Board is a table. Each row is a subject, over all scenarios or in one scenario. A table over all
// scenarios is printed transposed, with a column for each subject.
type Board struct {
	Columns []Column
	Rows    []Row
	each    bool // each row is for one scenario
}

// Row has the results of a subject's runs.
type Row struct {
	Scenario string // "" for all
	Subject  string
	Verdicts string // "PASS", "2 PASS, 1 FAIL"
	Dir      string // of the run with the worst verdict
	Cells    []Cell // one per column
}

// Cell is a figure over the runs that measured it: the median, or the worst (Column.Worst).
type Cell struct {
	Known bool
	Value float64
	// Times is the ratio of the value to the best one it is compared with. It is 0 if the best is
	// 0 or the difference is below the metric's Least.
	Times float64
	Best  bool
	Dir   string // of the run that has the value
}

// Each returns the table with a row for each scenario and subject, in the order of the runs.
func Each(runs []Run) Board {
	b := Board{Columns: figures(), each: true}
	b.fill(runs, func(r Run) string { return r.Plan.Name })
	return b
}

// Whole returns the table with a row for each subject. Each column selects its own scenarios.
func Whole(runs []Run) Board {
	b := Board{Columns: overall(runs)}
	b.fill(runs, func(Run) string { return "" })
	return b
}

// fill groups the runs by scenario and subject and makes a row of each group. scenarioOf returns the
// scenario of a run, or "" to group all scenarios together.
func (b *Board) fill(runs []Run, scenarioOf func(Run) string) {
	type key struct{ scenario, subject string }
	var order []key
	found := map[key][]Run{}
	for _, r := range runs {
		k := key{scenarioOf(r), r.Subject}
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

// outcomes in the order of the table, the worst first.
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

// worst returns the first run with the worst outcome.
func worst(runs []Run) Run {
	return slices.MinFunc(runs, func(a, b Run) int {
		return cmp.Compare(slices.Index(outcomes, a.Verdict.Verdict), slices.Index(outcomes, b.Verdict.Verdict))
	})
}

// figure returns the column's cell for a subject's runs. INCONCLUSIVE runs, and those that did not
// measure the metric, do not count.
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

// rank compares the cells of each column within a scenario, or over all rows of Whole.
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

// String formats the cell: the best value has a star, others their ratio to it.
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
