// Package coverage says what runs have put a pair through: which fault met which role
// while TCP connections were in which phase. What no run has met is a hole of the suite.
//
// The package is pure. The reports call it with each run that they read.
package coverage

import (
	"cmp"
	"slices"
	"strings"

	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// Cell is one combination of what can meet.
type Cell struct {
	// Fault is the verb, with the link where it is done to one: crash, cut via sync.
	Fault string
	// Role is that of the node that it is done to, or at whose end; Down for one without a
	// process, client or backend for one of these.
	Role string
	// Phase is what TCP connections were doing.
	Phase string
	World string
}

// Down is beside the roles of package ha.
const Down = "down"

// Phases of TCP connections.
const (
	Opening     = "opening"     // some were being opened, used once and closed
	Established = "established" // some exchanged messages
	Idle        = "idle"        // some were open and silent
)

var phases = []string{Opening, Established, Idle}

// serving are the roles in which a node spends its time.
var serving = []string{"Master", "Backup"}

// Of lists the cells that a run has met, each once.
func Of(p *plan.Plan, world string, events []trace.Event) []Cell {
	var cells []Cell
	state := check.NewState(p, world)
	opened := map[string]int{}
	for _, e := range events {
		if e.Traffic != nil && e.Traffic.Event == trace.TrafficOpened {
			opened[e.Traffic.Name]++
		}
		if f := e.Fault; f != nil && f.Phase == "begin" {
			cells = append(cells, met(p, world, state, f, opened)...)
		}
		state.Apply(&e)
	}
	slices.SortFunc(cells, Compare)
	return slices.Compact(cells)
}

// met lists what a fault meets.
func met(p *plan.Plan, world string, s *check.State, f *trace.Fault, opened map[string]int) []Cell {
	var cells []Cell
	for _, phase := range running(p, world, opened) {
		for _, host := range f.Hosts {
			cells = append(cells, Cell{f.Verb, role(s, host), phase, world})
		}
		for _, d := range f.Directions {
			for _, end := range []string{d.From, d.To} {
				if lab.IsNode(end) {
					cells = append(cells, Cell{f.Verb + " via " + d.Link, role(s, end), phase, world})
				}
			}
		}
	}
	return cells
}

// role is what a machine is when the fault begins.
func role(s *check.State, host string) string {
	n := s.Nodes[host]
	switch {
	case n == nil:
		kind, _, _ := lab.ParseName(host)
		return kind.String()
	case !n.Up:
		return Down
	}
	return n.Role
}

// running lists the phases that the traffic with connections is in, by what it has opened so far.
// Traffic runs before the first fault.
func running(p *plan.Plan, world string, opened map[string]int) []string {
	var now []string
	for _, t := range p.Traffic {
		if t.Proto == plan.UDP || !t.Guard.In(world) {
			continue
		}
		switch t.Kind {
		case plan.Connects:
			now = append(now, Opening)
		case plan.Flows:
			now = append(now, Idle)
		case plan.Bulk:
			now = append(now, Opening, Established)
		case plan.Sessions:
			if opened[t.Name] > 0 {
				now = append(now, Established)
			}
			if opened[t.Name] < t.Count {
				now = append(now, Opening)
			}
		}
	}
	slices.Sort(now)
	return slices.Compact(now)
}

// Possible lists the cells that a suite in a world should meet: every verb of the table,
// with each role in which it can be met, in each phase.
func Possible(world string) []Cell {
	var cells []Cell
	for _, v := range fault.Verbs() {
		if v.As != "" {
			continue // a trace has the other verb
		}
		for _, what := range forms(v) {
			for _, r := range roles(v) {
				for _, phase := range phases {
					cells = append(cells, Cell{what, r, phase, world})
				}
			}
		}
	}
	slices.SortFunc(cells, Compare)
	return cells
}

// forms are the ways in which a verb appears in a cell.
func forms(v fault.Verb) []string {
	if v.On == fault.Machines {
		return []string{v.Word}
	}
	var all []string
	for _, link := range lab.Links() {
		all = append(all, v.Word+" via "+link)
	}
	return all
}

// roles lists in which a verb can be met.
func roles(v fault.Verb) []string {
	if v.On != fault.Machines {
		return serving
	}
	var all []string
	if slices.Contains(v.From, fault.Running) || slices.Contains(v.From, fault.Frozen) {
		all = append(all, serving...)
	} else {
		all = append(all, Down)
	}
	for _, kind := range v.Kinds {
		if kind != lab.Node {
			all = append(all, kind.String())
		}
	}
	return all
}

// Compare orders cells by world, fault, role and phase.
func Compare(a, b Cell) int {
	return cmp.Or(strings.Compare(a.World, b.World), strings.Compare(a.Fault, b.Fault), strings.Compare(a.Role, b.Role), strings.Compare(a.Phase, b.Phase))
}
