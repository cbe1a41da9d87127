package scoreboard

import (
	"fmt"
	"slices"

	"baton/scenarios/fault"
	"baton/scenarios/metric"
	"baton/scenarios/plan"
)

// Column is a metric, measured in a selection of scenarios.
type Column struct {
	Title  string
	Metric metric.Metric
	// Worst says that the cell shows the worst run, otherwise the median.
	Worst bool
	about func(*plan.Plan) bool // selects the scenarios
}

// compared are the metrics that can be measured for every subject, by clients and on the wire. They
// are in the column order of Each.
var compared = []string{"takeover_ms", "handover_ms", "gap_udp_max_ms", "gap_tcp_p50_ms", "gap_tcp_max_ms", "unready_ms", "dual_ms", "restore_gap_ms", "rst", "lost"}

// figures returns the columns of Each.
func figures() []Column {
	var columns []Column
	for _, name := range compared {
		m, _ := metric.Of(name)
		columns = append(columns, Column{Title: m.Column(), Metric: m, Worst: m.Unit == metric.Count, about: anyScenario})
	}
	return columns
}

// overall returns the columns of Whole, without those that no run measured.
func overall(runs []Run) []Column {
	columns := []Column{
		column("crash: udp gap ms", "gap_udp_max_ms", loses(fault.Crash)),
		column("crash: tcp stall p50 ms", "gap_tcp_p50_ms", loses(fault.Crash)),
		worstOf("crash: tcp stall worst ms", "gap_tcp_max_ms", loses(fault.Crash)),
	}
	for _, timed := range []struct{ title, name string }{{"takeover", "takeover_ms"}, {"unready", "unready_ms"}} {
		for _, size := range sizes(runs) {
			columns = append(columns, column(fmt.Sprintf("%s, %s connections ms", timed.title, short(size)), timed.name, func(p *plan.Plan) bool {
				return crashes(p) && flows(p) == size
			}))
		}
	}
	columns = append(columns,
		column("kill: udp gap ms", "gap_udp_max_ms", loses(fault.Kill)),
		column("freeze: udp gap ms", "gap_udp_max_ms", loses(fault.Freeze)),
		column("restore: udp gap ms", "restore_gap_ms", anyScenario),
		column("stop ms", "handover_ms", func(p *plan.Plan) bool { return does(p, fault.Stop) }),
		column("handover ms", "handover_ms", func(p *plan.Plan) bool { return does(p, fault.Handover) }),
		worstOf("two forwarders ms", "dual_ms", anyScenario),
		worstOf("RST", "rst", anyScenario),
		worstOf("lost", "lost", anyScenario))
	return slices.DeleteFunc(columns, func(c Column) bool {
		return !slices.ContainsFunc(runs, func(r Run) bool { return c.figure([]Run{r}).Known })
	})
}

func column(title, name string, about func(*plan.Plan) bool) Column {
	m, _ := metric.Of(name)
	return Column{Title: title, Metric: m, about: about}
}

func worstOf(title, name string, about func(*plan.Plan) bool) Column {
	c := column(title, name, about)
	c.Worst = true
	return c
}

// anyScenario selects every scenario.
func anyScenario(*plan.Plan) bool { return true }

// loses selects the scenarios in which a MASTER is lost by a verb and not restored, and which have
// at most few connections.
func loses(verb string) func(*plan.Plan) bool {
	return func(p *plan.Plan) bool { return does(p, verb) && !does(p, fault.Restore) && flows(p) <= few }
}

// does reports whether a scenario has a step with a verb.
func does(p *plan.Plan, verb string) bool {
	return slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Fault != nil && s.Fault.Verb == verb && s.Guard.In(plan.Netns) })
}

// few is the largest number of connections of a scenario that does not test large tables.
const few = 500

// flows returns how many connections a scenario keeps open.
func flows(p *plan.Plan) int {
	n := 0
	for _, t := range p.Traffic {
		if t.Guard.In(plan.Netns) && (t.Kind == plan.Sessions || t.Kind == plan.Flows) {
			n += t.Count
		}
	}
	return n
}

// crashes selects the scenarios in which a MASTER crashes and is not restored.
func crashes(p *plan.Plan) bool { return does(p, fault.Crash) && !does(p, fault.Restore) }

// sizes returns the connection counts of the scenarios in which a MASTER crashes.
func sizes(runs []Run) []int {
	var found []int
	for _, r := range runs {
		if crashes(r.Plan) {
			found = append(found, flows(r.Plan))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// short formats a number for a heading: 10k.
func short(n int) string {
	if n >= 1000 {
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}
