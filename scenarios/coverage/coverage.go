// Package coverage says what runs have tested: which fault hit a node in which role while
// TCP connections were in which phase. A combination that no run covers is a hole in the
// suite.
//
// The package is pure. Reports call it for each run that they read.
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

// Cell is one combination of a fault, a role and a phase in a world.
type Cell struct {
	// Fault is the verb, with the link if it affects one: crash, cut via sync.
	Fault string
	// Role is the role of the affected node, or of the node at an end of the link. It is Down
	// for a node without a process, and "client" or "backend" for such a machine.
	Role string
	// Phase is the phase of the TCP connections.
	Phase string
	World string
}

// Down is the role of a node without a process. Package ha has no such role.
const Down = "down"

// Phases of TCP connections.
const (
	Opening     = "opening"     // some were being opened, used once and closed
	Established = "established" // some exchanged messages
	Idle        = "idle"        // some were open and silent
)

var phases = []string{Opening, Established, Idle}

// stable are the roles in which a node spends its time.
var stable = []string{"Master", "Backup"}

// Of returns the cells that a run covers, without duplicates.
func Of(p *plan.Plan, world string, events []trace.Event) []Cell {
	var cells []Cell
	state := check.NewState(p, world)
	opened := map[string]int{}
	for _, e := range events {
		if e.Traffic != nil && e.Traffic.Event == trace.TrafficOpened {
			opened[e.Traffic.Name]++
		}
		if f := e.Fault; f != nil && f.Phase == "begin" {
			cells = append(cells, covered(p, world, state, f, opened)...)
		}
		state.Apply(&e)
	}
	slices.SortFunc(cells, Compare)
	return slices.Compact(cells)
}

// covered returns the cells that a fault covers when it begins.
func covered(p *plan.Plan, world string, s *check.State, f *trace.Fault, opened map[string]int) []Cell {
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

// role returns the role of a machine when the fault begins.
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

// running returns the phases of the TCP and SCTP traffic. opened has the number of sessions that
// each line has opened so far. Traffic starts before the first fault.
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

// Possible returns the cells that a suite in a world should cover: every verb with every role
// that it can affect, in each phase.
func Possible(world string) []Cell {
	var cells []Cell
	for _, v := range fault.Verbs() {
		if v.As != "" {
			continue // traces have the verb that it repeats
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

// forms returns the values of Cell.Fault for a verb.
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

// roles returns the roles that a verb can affect.
func roles(v fault.Verb) []string {
	if v.On != fault.Machines {
		return stable
	}
	var all []string
	if slices.Contains(v.From, fault.Running) || slices.Contains(v.From, fault.Frozen) {
		all = append(all, stable...)
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
