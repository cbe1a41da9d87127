package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"baton/impl/trace"
	"baton/reports/model"
	"baton/scenarios/metric"
)

// sum fills the suite from the runs: rows and environments.
func sum(s *model.Suite, runs []gathered) {
	rows := map[rowKey]int{}
	hosts := map[trace.Host]int{}
	for i, g := range runs {
		row, ok := rows[g.key]
		if !ok {
			row = len(s.Rows)
			rows[g.key] = row
			s.Rows = append(s.Rows, newRow(g.key))
		}
		g.Row = row
		g.Environment = environment(s, hosts, g.host)
		s.Runs = append(s.Runs, g.Run)
		s.Events += g.Events
		s.Counts[g.Verdict]++
		s.Problems = append(s.Problems, g.problems...)
		s.Rows[row].Runs = append(s.Rows[row].Runs, i)
	}
	for i := range s.Rows {
		fill(&s.Rows[i], s.Runs, runs)
		if n := len(s.Rows[i].Plans); n > 1 {
			s.Problems = append(s.Problems, model.Problem{File: s.Runs[s.Rows[i].Runs[0]].Dir, Kept: "their figures together",
				What: fmt.Sprintf("%d different scenarios are called %s", n, s.Rows[i].Scenario)})
		}
	}
	sortRows(s)
	s.Causes = causes(s.Runs)
}

// causes groups the failed runs by their cause.
func causes(runs []model.Run) []model.Cause {
	list := []model.Cause{}
	for i, run := range runs {
		if run.Cause == "" {
			continue
		}
		at := slices.IndexFunc(list, func(c model.Cause) bool { return c.What == run.Cause && c.Verdict == run.Verdict })
		if at < 0 {
			at = len(list)
			list = append(list, model.Cause{What: run.Cause, Verdict: run.Verdict})
		}
		list[at].Runs = append(list[at].Runs, i)
	}
	slices.SortStableFunc(list, func(a, b model.Cause) int {
		return cmp.Or(slices.Index(severity, b.Verdict)-slices.Index(severity, a.Verdict), len(b.Runs)-len(a.Runs))
	})
	return list
}

func newRow(key rowKey) model.Row {
	return model.Row{Scenario: key.scenario, World: key.world, SUT: key.sut, Settings: strings.Fields(key.settings), Figures: []model.Figure{}, Plans: []string{}}
}

func environment(s *model.Suite, hosts map[trace.Host]int, h trace.Host) int {
	if h == (trace.Host{}) {
		return -1
	}
	i, ok := hosts[h]
	if !ok {
		i = len(s.Environments)
		hosts[h] = i
		s.Environments = append(s.Environments, model.Environment{Kernel: h.Kernel, Arch: h.Arch, CPU: h.CPU, Cores: h.Cores, Go: h.Go, Baton: h.Baton})
	}
	s.Environments[i].Runs++
	return i
}

// fill summarizes the runs of a row.
func fill(row *model.Row, shown []model.Run, runs []gathered) {
	slices.SortStableFunc(row.Runs, func(a, b int) int {
		return cmp.Or(strings.Compare(shown[a].Began, shown[b].Began), natural(shown[a].Dir, shown[b].Dir))
	})
	var control []string
	for _, i := range row.Runs {
		row.Verdict = worse(row.Verdict, shown[i].Verdict)
		switch shown[i].Verdict {
		case "PASS":
			row.Passed++
		case "FAIL":
			row.Failed++
		case "INCONCLUSIVE":
			row.Inconclusive++
		default:
			row.Skipped++
		}
		if runs[i].plan != "" {
			if !slices.Contains(row.Plans, runs[i].plan) {
				row.Plans = append(row.Plans, runs[i].plan)
			}
			row.Doc, row.Unexecuted, control = runs[i].doc, runs[i].skipped, runs[i].control
		}
	}
	row.FlakeRate = model.FlakeRate(row.Passed, row.Failed)
	if len(control) > 0 {
		row.Control = &model.Control{Checks: control, Caught: row.Passed > 0 && row.Failed == 0}
	}
	for _, m := range metric.All() {
		if f, ok := figure(m, row.Runs, shown); ok {
			f.Limits = limits(m.Name, row.Runs, runs)
			row.Figures = append(row.Figures, f)
		}
	}
}

func figure(m metric.Metric, of []int, shown []model.Run) (model.Figure, bool) {
	f := model.Figure{Name: m.Name, Title: m.Heading()}
	if m.Unit != metric.Count {
		f.Unit = "ms"
	}
	for _, i := range of {
		if value, ok := shown[i].Metrics[m.Name]; ok {
			f.Values = append(f.Values, value)
			f.Of = append(f.Of, i)
		}
	}
	if len(f.Values) == 0 {
		return f, false
	}
	f.Median, f.Min, f.Max = median(f.Values), slices.Min(f.Values), slices.Max(f.Values)
	return f, true
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// limits returns the scenario's limits for the metric, each with the worst result of a run.
func limits(metric string, of []int, runs []gathered) []model.Limit {
	var list []model.Limit
	for _, i := range of {
		for _, c := range runs[i].claims {
			if c.metric != metric {
				continue
			}
			at := slices.IndexFunc(list, func(l model.Limit) bool { return l.Claim == c.text && l.Line == c.line })
			if at < 0 {
				at = len(list)
				list = append(list, model.Limit{Claim: c.text, Line: c.line})
			}
			for _, check := range runs[i].Checks {
				if check.Line == c.line && strings.HasPrefix(check.Detail, c.text+" ") {
					list[at].Verdict = worse(list[at].Verdict, check.Verdict)
				}
			}
		}
	}
	return list
}

// sortRows sorts the rows by name and updates the runs' references to them.
func sortRows(s *model.Suite) {
	order := make([]int, len(s.Rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := s.Rows[a], s.Rows[b]
		return cmp.Or(strings.Compare(x.Scenario, y.Scenario), strings.Compare(x.World, y.World),
			strings.Compare(strings.Join(x.Settings, " "), strings.Join(y.Settings, " ")))
	})
	rows := make([]model.Row, len(order))
	for now, was := range order {
		rows[now] = s.Rows[was]
		for _, i := range rows[now].Runs {
			s.Runs[i].Row = now
		}
	}
	s.Rows = rows
}

// natural orders crash.2 before crash.10.
func natural(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}
