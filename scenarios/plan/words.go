package plan

import (
	"baton/scenarios/fault"
	"baton/scenarios/lab"
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
	protocols = []string{"tcp", "udp"}
	modes     = []string{"fullnat", "dnat"}
	balances  = []string{"maglev", "rr"}
	kinds     = []string{Sessions, Connects, Probe, Flows}
	links     = lab.Links()
	exprNames = []string{"detect", "hold", "track"}
)

// Names of Cond.Named. The first two are states, which can be waited for; the
// others are true of a stretch of time or not.
const (
	Converged = "converged" // one Master, all others Backup and insync, tables equal, heartbeats up
	Replica   = "replica"   // the connection tables of the live nodes are equal
	Gates     = "gates"     // nobody became Master without its gates
	Announce  = "announce"  // nobody announced a VIP before it could forward
	Sticky    = "sticky"    // no session changed its backend
)

var named = []string{Converged, Replica, Gates, Announce, Sticky}

// IsState reports whether a named condition is true of an instant. The others
// are true of a stretch of time.
func IsState(name string) bool { return name == Converged || name == Replica }

// Unit is what a metric counts.
type Unit uint8

const (
	Count        Unit = iota // things
	Milliseconds             // compares with a duration; a plain number is milliseconds
	Duration                 // compares with a duration only
)

// Metric is something that a condition can compare.
type Metric struct {
	Name  string
	Unit  Unit
	Check string // the name under which package check judges it, for control lines
	// PerLine metrics may be asked of one line of traffic: lost(web).
	PerLine bool
	// Of lists the kinds of traffic that yield it; without one of those it cannot
	// be judged. Empty: no traffic is needed.
	Of []string
	// Grows says that within a window the value only ever rises.
	Grows bool
	// Now says that it has a value at every instant, so that it can be waited for.
	Now bool
	// After lists the faults without which it has no value.
	After []string
	Doc   string
}

// Metrics is every metric that conditions know, in the order of the documentation.
var Metrics = []Metric{
	{Name: "masters", Now: true, Check: "masters", Doc: "nodes that have the Master role at one time"},
	{Name: "forwarders", Now: true, Check: "forwarders", Doc: "nodes that may forward at one time, by their lease and as seen on the wire"},
	{Name: "rst", Now: true, Check: "rst", Of: kinds, Grows: true,
		Doc: "TCP segments with RST seen at the edges; one that is relayed counts at both, one after both ends have acknowledged the other's FIN nowhere but in a note"},
	{Name: "lost", Now: true, Check: "lost", PerLine: true, Of: []string{Sessions}, Grows: true,
		Doc: "established sessions that died before their end"},
	{Name: "corrupt", Now: true, Check: "corrupt", PerLine: true, Of: []string{Sessions, Connects, Probe}, Grows: true,
		Doc: "echoes with wrong bytes, sequence or checksum"},
	{Name: "moved", Now: true, Check: "sticky", PerLine: true, Of: []string{Sessions}, Grows: true,
		Doc: "sessions whose echo came from another backend than before"},
	{Name: "connects_failed", Now: true, Check: "connects_failed", PerLine: true, Of: []string{Connects}, Grows: true,
		Doc: "connections that were refused, reset or timed out"},
	{Name: "sessions", Now: true, Check: "sessions", PerLine: true, Of: []string{Sessions}, Doc: "sessions that are open"},
	{Name: "gap", Now: true, Unit: Duration, Check: "gap", PerLine: true, Of: []string{Sessions, Connects, Probe}, Grows: true,
		Doc: "the longest time that one flow got no answer to what it meant to send"},
	{Name: "gap_udp_max_ms", Unit: Milliseconds, Check: "gap", Of: []string{Probe}, Grows: true,
		Doc: "the longest gap of a UDP probe"},
	{Name: "gap_tcp_p50_ms", Unit: Milliseconds, Check: "gap", Of: []string{Sessions}, Grows: true,
		Doc: "median over the sessions of each one's longest stall"},
	{Name: "gap_tcp_p99_ms", Unit: Milliseconds, Check: "gap", Of: []string{Sessions}, Grows: true,
		Doc: "99th percentile of the same"},
	{Name: "gap_tcp_max_ms", Unit: Milliseconds, Check: "gap", Of: []string{Sessions}, Grows: true,
		Doc: "maximum of the same"},
	{Name: "detect_ms", Unit: Milliseconds, Check: "detect", After: losses, Grows: true,
		Doc: "from the loss of a Master to the last path's Down at the survivor"},
	{Name: "takeover_ms", Unit: Milliseconds, Check: "takeover", After: losses, Grows: true,
		Doc: "from the loss of a Master to the survivor's Master role"},
	{Name: "handover_ms", Unit: Milliseconds, Check: "handover", Grows: true,
		Doc: "from the Master's wish to leave to the peer's Master role"},
	{Name: "sync_ms", Unit: Milliseconds, Check: "sync", After: resyncs, Grows: true,
		Doc: "from the sync stream's begin to insync, after a restore or heal"},
	{Name: "sync_entries", Now: true, Check: "sync", After: resyncs,
		Doc: "entries of the replica at that moment"},
	{Name: "role_changes", Now: true, Check: "role_changes", Grows: true, Doc: "times that a node became Master"},
}

// losses are the faults that take a Master away without asking it.
var losses = fault.Meant(func(v fault.Verb) bool { return v.Takes })

// resyncs are the faults after which connection sync begins anew.
var resyncs = fault.Meant(func(v fault.Verb) bool { return v.Resyncs })

// MetricOf returns the metric of that name.
func MetricOf(name string) (Metric, bool) {
	for _, m := range Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// Names of checks that are not a metric's.
const (
	CheckRole    = "role"    // conditions such as "lb1 is Master"
	CheckInSync  = "insync"  // conditions such as "lb1 insync"
	CheckWait    = "wait"    // the waits
	CheckTraffic = "traffic" // every line of traffic got answers
	CheckTrace   = "trace"   // the trace is whole
	CheckFaults  = "faults"  // every fault left its receipt
	CheckLeaks   = "leaks"   // nothing was left behind
)

// CheckNames lists what a control line may name.
func CheckNames() []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, m := range Metrics {
		add(m.Check)
	}
	for _, name := range named {
		add(name)
	}
	for _, name := range []string{CheckRole, CheckInSync, CheckWait, CheckLeaks} {
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
	case c.Compare != nil:
		m, _ := MetricOf(c.Compare.Metric)
		return m.Check
	}
	return c.Named
}

// Implied is the claim that a control line's check stands for where the scenario
// does not state it: none of the thing, at most one node, or the named condition.
// False for checks that mean nothing without a number or a node.
func Implied(check string) (Cond, bool) {
	zero := func(metric string) Cond {
		return Cond{Compare: &Compare{Metric: metric, Op: "==", Value: Expr{Terms: []Term{{}}}}}
	}
	switch check {
	case "rst", "lost", "corrupt", "connects_failed":
		return zero(check), true
	case "masters", "forwarders":
		return Cond{Compare: &Compare{Metric: check, Op: "<=", Value: Expr{Terms: []Term{{Factor: 1}}}}}, true
	case Converged, Replica, Gates, Announce, Sticky:
		return Cond{Named: check}, true
	}
	return Cond{}, false
}
