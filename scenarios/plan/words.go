package plan

import (
	"slices"

	"baton/scenarios/lab"
	"baton/scenarios/metric"
)

// Worlds that a Guard may name.
const (
	Netns = "netns"
	Sim   = "sim"
)

var worlds = []string{Netns, Sim}

// Nodes of a pair.
var nodes = lab.Nodes()

var (
	roles     = []string{"Init", "Backup", "Claiming", "Master", "Yielding", "Fault"}
	modes     = []string{modeFullNAT, "dnat", ModeDSRL2, ModeDSRIPIP}
	balances  = []string{"least-conn", "maglev", "rr"}
	kinds     = metric.Kinds()
	links     = lab.Links()
	exprNames = []string{"detect", "hold", "track"}
)

// Names of Cond.Named. The first two are states, which can be waited for; the others are judged
// over a window.
const (
	Converged = "converged" // one Master, all others Backup and insync, tables equal, heartbeats up
	Replica   = "replica"   // the connection tables of the live nodes are equal
	Gates     = "gates"     // no node became Master without its gates
	Announce  = "announce"  // no node announced a VIP before it could forward
	Sticky    = "sticky"    // no session changed its backend
	Served    = "served"    // whenever a node can serve, one that can forwards
	Exclusive = "exclusive" // never two forwarders while packets pass between the nodes
	Kept      = "kept"      // no table shrinks below the open sessions
	Rests     = "rests"     // no node spins on timers
)

var named = []string{Converged, Replica, Gates, Announce, Sticky, Served, Exclusive, Kept, Rests}

// IsState reports whether a named condition is judged at an instant. The others are judged over a
// window.
func IsState(name string) bool { return name == Converged || name == Replica }

// Names of checks that are not a metric's.
const (
	CheckRole    = "role"    // conditions such as "lb1 is Master"
	CheckInSync  = "insync"  // conditions such as "lb1 insync"
	CheckOutput  = "output"  // conditions such as "output(fetch) contains "done""
	CheckWait    = "wait"    // the waits
	CheckTraffic = "traffic" // every line of traffic got answers
	CheckLoad    = "load"    // every line of traffic was offered in time
	CheckTrace   = "trace"   // the trace is complete
	CheckFaults  = "faults"  // every fault left its receipt
	CheckLeaks   = "leaks"   // nothing was left behind
	CheckDied    = "died"    // no node's process ended by itself
)

// CheckNames lists the checks that a control line may name.
func CheckNames() []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, m := range metric.All() {
		add(m.Check)
	}
	for _, name := range named {
		add(name)
	}
	for _, name := range []string{CheckRole, CheckInSync, CheckOutput, CheckWait, CheckLeaks} {
		add(name)
	}
	return names
}

// Check returns the name of the check that judges the condition.
func (c Cond) Check() string {
	switch {
	case c.Role != nil:
		return CheckRole
	case c.InSync != nil:
		return CheckInSync
	case c.Output != nil:
		return CheckOutput
	case c.Compare != nil:
		m, _ := metric.Of(c.Compare.Metric)
		return m.Check
	}
	return c.Named
}

// Implied is the claim of a check that a control line names but the scenario does not state: a
// count of 0, at most one node, or the named condition. It is false for checks that need a number
// or a node.
func Implied(check string) (Cond, bool) {
	zero := func(name string) Cond {
		return Cond{Compare: &Compare{Metric: name, Op: "==", Value: Expr{Terms: []Term{{}}}}}
	}
	switch check {
	case "rst", "lost", "corrupt", "connects_failed", "unanswered", "incomplete":
		return zero(check), true
	case "masters", "forwarders":
		return Cond{Compare: &Compare{Metric: check, Op: "<=", Value: Expr{Terms: []Term{{Factor: 1}}}}}, true
	}
	if slices.Contains(named, check) {
		return Cond{Named: check}, true
	}
	return Cond{}, false
}
