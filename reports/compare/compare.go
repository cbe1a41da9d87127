package compare

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"baton/reports/model"
	"baton/reports/stat"
	"baton/scenarios/metric"
	"baton/scenarios/plan"

	"github.com/dustin/go-humanize/english"
)

// key identifies a set of repeats.
type key struct{ scenario, world, settings string }

// Compare compares new runs with a baseline. base and new say where each was read from.
func Compare(base, new string, was, now *model.Suite) *model.Comparison {
	before, after := rows(was), rows(now)
	c := &model.Comparison{Base: base, New: new, Alpha: Alpha, Effect: Effect, Rows: []model.Change{}, Remarks: reset(before, after)}
	c.Remarks = append(c.Remarks, remarks(was, now, before, after)...)
	for _, k := range ordered(before, after) {
		old, new := before[k], after[k]
		if old == nil || new == nil {
			continue // remarks reports it
		}
		for _, m := range metrics {
			a, b := values(old, m.Name), values(new, m.Name)
			if len(a) > 0 && len(b) > 0 {
				c.Rows = append(c.Rows, change(k, m, a, b))
			}
		}
	}
	judge(c)
	return c
}

func rows(s *model.Suite) map[key]*model.Row {
	found := map[key]*model.Row{}
	for i := range s.Rows {
		row := &s.Rows[i]
		found[key{row.Scenario, row.World, strings.Join(row.Settings, " ")}] = row
	}
	return found
}

// reset matches a scenario that ran with different settings on the two sides, because the setting may
// be what is being compared. It returns a remark for each.
func reset(before, after map[key]*model.Row) []string {
	said := []string{}
	for _, k := range ordered(after, nil) {
		old := alike(before, k)
		if before[k] != nil || len(old) != 1 || len(alike(after, k)) != 1 {
			continue
		}
		said = append(said, fmt.Sprintf("%s (%s) was run with other settings: %s, was %s", k.scenario, k.world,
			cmp.Or(k.settings, "none"), cmp.Or(old[0].settings, "none")))
		before[k] = before[old[0]]
		delete(before, old[0])
	}
	return said
}

// alike returns the keys with the same scenario and world as k, with any settings.
func alike(rows map[key]*model.Row, k key) []key {
	return slices.DeleteFunc(ordered(rows, nil), func(o key) bool { return o.scenario != k.scenario || o.world != k.world })
}

func ordered(a, b map[key]*model.Row) []key {
	all := map[key]*model.Row{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return slices.SortedFunc(maps.Keys(all), byName)
}

func byName(x, y key) int {
	return slices.Compare([]string{x.scenario, x.world, x.settings}, []string{y.scenario, y.world, y.settings})
}

func values(row *model.Row, name string) []float64 {
	for _, f := range row.Figures {
		if f.Name == name {
			return f.Values
		}
	}
	return nil
}

func change(k key, m metric.Metric, a, b []float64) model.Change {
	c := model.Change{Scenario: k.String(), World: k.world, Metric: m.Name, Unit: unit(m), Base: distribution(a), New: distribution(b)}
	c.P = stat.MannWhitney(a, b)
	switch diff := c.New.Median - c.Base.Median; {
	case diff == 0:
	case c.Base.Median <= 0: // no relative change, so any counts as 100 %
		c.Delta = math.Copysign(1, diff)
	default:
		c.Delta = diff / c.Base.Median
	}
	return c
}

func (k key) String() string {
	if k.settings == "" {
		return k.scenario
	}
	return k.scenario + " " + k.settings
}

func distribution(values []float64) model.Distribution {
	s := stat.Summarize(values)
	return model.Distribution{N: len(values), Median: s.Median, Low: s.Low, High: s.High, Values: values}
}

// judge sets the verdict of each row, corrected for the number of tests, and that of the
// comparison, which is the worst of them.
func judge(c *model.Comparison) {
	p := make([]float64, len(c.Rows))
	for i, row := range c.Rows {
		p[i] = row.P
	}
	adjusted := stat.Holm(p)
	count := map[string]int{}
	for i := range c.Rows {
		row := &c.Rows[i]
		row.Adjusted = adjusted[i]
		row.Verdict, row.Why = verdict(*row, len(c.Rows))
		count[row.Verdict]++
	}
	switch {
	case count[model.Worse] > 0:
		c.Verdict = model.Worse
	case count[model.Better] > 0:
		c.Verdict = model.Better
	case count[model.Same] > 0:
		c.Verdict = model.Same
	default:
		c.Verdict = model.TooFew
	}
}

// verdict judges one row; tests is the number of rows.
func verdict(c model.Change, tests int) (string, string) {
	diff := c.New.Median - c.Base.Median
	told := fmt.Sprintf("%s %s, was %s, %+.1f %%", number(c.New.Median), c.Unit, number(c.Base.Median), 100*c.Delta)
	if c.Base.Median == 0 {
		told = fmt.Sprintf("%s %s, was 0", number(c.New.Median), c.Unit)
	}
	told = strings.ReplaceAll(told, " ,", ",")
	switch {
	// With this few runs even sets that do not overlap would count as noise.
	case stat.LeastP(c.Base.N, c.New.N)*float64(tests) >= Alpha:
		return model.TooFew, fmt.Sprintf("%s; %d and %d runs cannot tell it from noise among %d figures", told, c.Base.N, c.New.N, tests)
	case c.Adjusted >= Alpha:
		return model.Same, fmt.Sprintf("%s: noise (p %.2g)", told, c.Adjusted)
	case !matters(metricOf(c.Metric), c.Base.Median, c.New.Median):
		return model.Same, fmt.Sprintf("%s: no noise (p %.2g), but less than matters", told, c.Adjusted)
	case diff > 0:
		return model.Worse, fmt.Sprintf("%s: no noise (p %.2g)", told, c.Adjusted)
	}
	return model.Better, fmt.Sprintf("%s: no noise (p %.2g)", told, c.Adjusted)
}

func number(x float64) string { return strconv.FormatFloat(math.Round(x*1000)/1000, 'f', -1, 64) }

// remarks lists what weakens a comparison and what it leaves out.
func remarks(was, now *model.Suite, before, after map[key]*model.Row) []string {
	var list []string
	for _, k := range ordered(before, after) {
		switch {
		case before[k] == nil:
			list = append(list, fmt.Sprintf("%s (%s) has no baseline", k, k.world))
		case after[k] == nil:
			list = append(list, fmt.Sprintf("%s (%s) is in the baseline only", k, k.world))
		case !slices.Equal(before[k].Settings, after[k].Settings): // reported by reset
		case !slices.Equal(before[k].Plans, after[k].Plans):
			list = append(list, fmt.Sprintf("%s (%s) is another scenario than in the baseline", k, k.world))
		}
	}
	a, b := machines(was), machines(now)
	for _, m := range b {
		if !slices.Contains(a, m) && real(now) {
			list = append(list, fmt.Sprintf("runs on another machine than the baseline: %s; the baseline on %s", m, strings.Join(a, "; ")))
		}
	}
	for _, side := range []struct {
		name string
		s    *model.Suite
	}{{"baseline", was}, {"new runs", now}} {
		if n := side.s.Counts["INCONCLUSIVE"] + side.s.Counts["FAIL"]; n > 0 {
			list = append(list, fmt.Sprintf("%d of %d runs of the %s did not pass; their figures count all the same", n, total(side.s.Counts), side.name))
		}
		if n := len(side.s.Problems); n > 0 {
			list = append(list, fmt.Sprintf("%s with the input of the %s; baton report names each", english.Plural(n, "problem", ""), side.name))
		}
	}
	return list
}

// real reports whether any run was made in real time, where the machine's speed matters. Virtual
// time does not depend on the machine.
func real(s *model.Suite) bool {
	return slices.ContainsFunc(s.Rows, func(row model.Row) bool { return row.World != plan.Sim })
}

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts { // a sum: the order does not matter
		sum += n
	}
	return sum
}

// machines lists the environments without the build, which may be what is being compared.
func machines(s *model.Suite) []string {
	var list []string
	for _, e := range s.Environments {
		m := fmt.Sprintf("%s %s, %d cores, kernel %s", e.Arch, e.CPU, e.Cores, e.Kernel)
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	if len(list) == 0 {
		list = []string{"an unknown machine"}
	}
	return list
}
