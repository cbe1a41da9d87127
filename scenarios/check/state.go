package check

import (
	"maps"
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/metric"
	"baton/scenarios/plan"
)

// State is the pair as the events so far show it. It is not safe for concurrent use.
type State struct {
	plan  *plan.Plan
	world string

	// Now is when the last event happened.
	Now   clock.Instant
	Nodes map[string]*Node
	// Cuts are the directions that are cut or lack a carrier. A direction that is both has two
	// entries.
	Cuts []Cut
	// healed is when a direction was last removed from Cuts.
	healed map[lab.Rule]clock.Instant
	// Traffic has the latest totals of each line of traffic.
	Traffic map[string]trace.Totals
	// flows counts the flow events of each line; before is its value at the line's latest totals.
	flows, before map[string]flowCounts
	Tally         Tally

	detect time.Duration // configured, from the trace's Meta
	lacks  []string      // by the subject, likewise
}

// flowCounts counts the flows whose opening and whose end are in the trace.
type flowCounts struct{ opened, ended int }

// Cut is a direction in which no packets pass, or none of a kind.
type Cut struct {
	lab.Rule
	undo string // the verb that ends it
}

// Node is one load balancer.
type Node struct {
	Name string
	// Role is the last role that the node reported since it started; "" while it is down.
	Role   string
	InSync bool       // connection sync has proved the table equal
	Sync   trace.Sync // last progress report
	// Gate is the last report of the gate InSync. It can close while the field InSync
	// stays true: the proof of the sync is then out of date.
	Gate *trace.Gate
	// Lease is the end of the lease that it last wrote.
	Lease clock.Instant
	// Up: its process runs. Frozen: it is stopped by SIGSTOP.
	Up, Frozen bool
	// Resumed is when it was last thawed or restored, 0 if it never was.
	Resumed clock.Instant
	// Silent: it is frozen, or was and has not reported anything since, so its Role may be
	// out of date.
	Silent bool
	// Unread: a fault keeps it from reading its dataplane.
	Unread  bool
	Paths   map[string]Path
	Replica *trace.Replica
}

// Path is a node's end of a BFD session.
type Path struct {
	State  string
	Detect time.Duration // negotiated; 0 if unknown
}

// Tally counts what happened since the State was made, or since it was reset.
type Tally struct {
	RST                           int
	Lost, Corrupt, Moved, Refused map[string]int // by line of traffic
	Gap                           map[string]time.Duration
	RoleChanges                   int
	Dropped, Strays               int // packets that were lost on links, by plan and without one
}

// NewState returns the state before the first event of a run in the world.
func NewState(p *plan.Plan, world string) *State {
	s := &State{plan: p, world: world, Nodes: map[string]*Node{}, Traffic: map[string]trace.Totals{},
		flows: map[string]flowCounts{}, before: map[string]flowCounts{}, Tally: newTally(), healed: map[lab.Rule]clock.Instant{}}
	for _, name := range lab.Nodes() {
		s.Nodes[name] = newNode(name)
	}
	return s
}

func newTally() Tally {
	return Tally{Lost: map[string]int{}, Corrupt: map[string]int{}, Moved: map[string]int{}, Refused: map[string]int{},
		Gap: map[string]time.Duration{}}
}

// newNode is a node whose process has just been started.
func newNode(name string) *Node {
	return &Node{Name: name, Role: roleInit, Up: true, Paths: map[string]Path{}}
}

// Roles, the BFD session state and the gate that the checks know by name.
const (
	stateUp      = "Up"
	roleInit     = "Init"
	roleBackup   = "Backup"
	roleClaiming = "Claiming"
	roleMaster   = "Master"
	roleYielding = "Yielding"
	gateInSync   = "InSync"
)

// Apply moves the state on by one event. Events come in the order of their times.
func (s *State) Apply(e *trace.Event) {
	s.Now = max(s.Now, e.At)
	if e.Meta != nil {
		s.detect, s.lacks = time.Duration(e.Meta.Detect), e.Meta.Lacks
	}
	if e.Fault != nil {
		s.fault(e.Fault)
	}
	s.tally(e)
	n := s.Nodes[e.Node]
	switch {
	case n == nil:
	case e.Died != nil:
		s.end(n, fault.Kill)
	default:
		n.apply(e)
	}
}

// end removes the process. Its eBPF programs end with it, unless they are pinned.
func (s *State) end(n *Node, verb string) {
	lease := n.Lease
	if s.plan.EndsLease(s.world, n.Name, verb) {
		lease = min(lease, s.Now)
	}
	*n = Node{Name: n.Name, Lease: lease, Paths: map[string]Path{}}
}

// apply handles an event that the node itself reports.
func (n *Node) apply(e *trace.Event) {
	switch {
	case e.Role != nil:
		n.Role = e.Role.To
	case e.Sync != nil:
		// The gate of the same name is not enough: it is also open if no peer was ever heard.
		n.Sync, n.InSync = *e.Sync, e.Sync.Phase == "insync"
	case e.Gate != nil:
		if e.Gate.Name == gateInSync {
			n.Gate = e.Gate
		}
	case e.Lease != nil:
		n.Lease = e.Lease.Until
	case e.BFD != nil:
		detect := time.Duration(e.BFD.Detect)
		if detect == 0 {
			detect = n.Paths[e.BFD.Path].Detect
		}
		n.Paths[e.BFD.Path] = Path{State: e.BFD.To, Detect: detect}
	case e.Replica != nil:
		replica := *e.Replica
		n.Replica = &replica
	}
	if own(e.Kind) && !n.Frozen {
		n.Silent = false
	}
}

// own reports whether events of a kind come from the node itself, which shows that it was alive.
// Other events with its name come from the harness.
func own(kind trace.Kind) bool {
	switch kind {
	case trace.KindRole, trace.KindGate, trace.KindBFD, trace.KindSync, trace.KindLease, trace.KindAnnounce, trace.KindReplica:
		return true
	}
	return false
}

// fault handles a fault of the world. A node is down from the receipt of the fault on, and
// up again when its restore begins.
func (s *State) fault(f *trace.Fault) {
	began, done := f.Phase == "begin", f.Phase == "receipt"
	switch {
	case fault.Severs(f.Verb) && began:
		for _, d := range f.Directions {
			s.Cuts = append(s.Cuts, Cut{d, fault.UndoOf(f.Verb)})
		}
	case fault.Joins(f.Verb) && done:
		s.Cuts = slices.DeleteFunc(s.Cuts, func(c Cut) bool {
			ends := c.undo == f.Verb && slices.Contains(f.Directions, c.Rule)
			if ends {
				s.healed[c.Rule] = s.Now
			}
			return ends
		})
	}
	for _, name := range f.Hosts {
		n := s.Nodes[name]
		if n == nil {
			continue
		}
		switch {
		case done && fault.Ends(f.Verb):
			s.end(n, f.Verb)
		case began && f.Verb == fault.Restore:
			lease := n.Lease
			*n = *newNode(name)
			n.Lease, n.Resumed = lease, s.Now
		case done && f.Verb == fault.Freeze:
			n.Frozen, n.Silent = true, true
		case began && f.Verb == fault.Thaw:
			n.Frozen, n.Resumed = false, s.Now
		case done && f.Verb == fault.Map && strings.HasPrefix(f.Target, "unread "):
			n.Unread = true
		case done && f.Verb == fault.Mend:
			n.Unread = false
		}
	}
}

// covered reports whether a cut drops everything that a rule selects.
func (s *State) covered(rule lab.Rule) bool {
	return slices.ContainsFunc(s.Cuts, func(c Cut) bool { return lab.Covers([]lab.Rule{c.Rule}, rule) })
}

// afterHeal returns the instant d after the last heal of a link, for one kind of a node's packets to
// its peer; 0 without a heal.
func (s *State) afterHeal(kind, from, link string, d time.Duration) (at clock.Instant) {
	for rule, healed := range s.healed { // in any order: the latest counts
		if rule.Link == link && rule.From == from && rule.To == lab.Peer(from) && (rule.Only == "" || rule.Only == kind) {
			at = max(at, healed.Add(d))
		}
	}
	return at
}

func (s *State) tally(e *trace.Event) {
	switch {
	case e.RST != nil:
		s.Tally.RST++
	case e.Loss != nil && e.Loss.Planned:
		s.Tally.Dropped += e.Loss.Count
	case e.Loss != nil:
		s.Tally.Strays += e.Loss.Count
	case e.Role != nil && e.Role.To == roleMaster && e.Role.From != roleMaster:
		s.Tally.RoleChanges++
	case e.Gap != nil:
		s.Tally.Gap[e.Gap.Name] = max(s.Tally.Gap[e.Gap.Name], e.Gap.To.Sub(e.Gap.From))
	case e.Totals != nil:
		s.Traffic[e.Totals.Name] = *e.Totals
		s.before[e.Totals.Name] = s.flows[e.Totals.Name]
	case e.Traffic != nil:
		counts := s.flows[e.Traffic.Name]
		switch e.Traffic.Event {
		case trace.TrafficOpened:
			counts.opened++
		case trace.TrafficLost, trace.TrafficDone:
			counts.ended++
		}
		s.flows[e.Traffic.Name] = counts
		if count := s.Tally.of(e.Traffic.Event); count != nil {
			count[e.Traffic.Name]++
		}
	}
}

// of returns the counts by line of a traffic event, nil for one that is not counted.
func (t *Tally) of(event string) map[string]int {
	switch event {
	case trace.TrafficLost:
		return t.Lost
	case trace.TrafficCorrupt:
		return t.Corrupt
	case trace.TrafficMoved:
		return t.Moved
	case trace.TrafficFailed:
		return t.Refused
	}
	return nil
}

// Live returns the nodes that run and are not frozen, by name.
func (s *State) Live() []*Node {
	var live []*Node
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		if n := s.Nodes[name]; n.Up && !n.Frozen {
			live = append(live, n)
		}
	}
	return live
}

// Masters counts the nodes that have the role.
func (s *State) Masters() int {
	count := 0
	for _, n := range s.Live() {
		if n.Role == roleMaster && !n.Silent {
			count++
		}
	}
	return count
}

// Forwarders counts the nodes whose lease is valid.
func (s *State) Forwarders() int {
	count := 0
	for _, n := range s.Nodes { // in any order: a count
		if n.Lease > s.Now {
			count++
		}
	}
	return count
}

// kind returns the kind of a line of traffic, "" if the plan has no such line.
func (s *State) kind(line string) string {
	lines := s.plan.Traffic
	i := slices.IndexFunc(lines, func(t plan.Traffic) bool { return t.Name == line && t.Guard.In(s.world) })
	if i < 0 {
		return ""
	}
	return lines[i].Kind
}

// Sessions counts the open sessions of all lines, or of one.
func (s *State) Sessions(line string) int { return s.standing("sessions", (*State).open, line) }

// open counts the open sessions of a line: its latest totals, which come once a second, plus the
// sessions opened and ended since by their events. Totals include a session from its handshake on;
// its opened event comes with its first answer, which may be after the totals.
func (s *State) open(t trace.Totals) int {
	was, is := s.before[t.Name], s.flows[t.Name]
	unanswered := max(0, t.Sessions-(was.opened-was.ended))
	return t.Sessions + max(0, is.opened-was.opened-unanswered) - (is.ended - was.ended)
}

func (s *State) verified(t trace.Totals) int { return t.Verified }

// standing sums a present count of all lines that yield a metric, or of one.
func (s *State) standing(name string, of func(*State, trace.Totals) int, line string) int {
	m, _ := metric.Of(name)
	count := 0
	for name, t := range s.Traffic { // in any order: a sum
		if yields(m, t.Kind) && (line == "" || line == name) {
			count += of(s, t)
		}
	}
	return count
}

// Detect is the negotiated detection time, the longest over all paths that are up, but at
// most the configured one. A session that has just come up still reports its slow interval
// (RFC 5880 6.8.3), and with a window of that length no check could fail.
func (s *State) Detect() time.Duration {
	configured := s.detect
	if configured == 0 {
		configured = s.plan.Detect(s.world)
	}
	var negotiated time.Duration
	for _, n := range s.Nodes { // in any order: the longest
		for _, p := range n.Paths { // in any order: the longest
			if p.State == stateUp {
				negotiated = max(negotiated, p.Detect)
			}
		}
	}
	if negotiated == 0 {
		return configured
	}
	return min(negotiated, configured)
}

// Env gives expressions their values at this moment.
func (s *State) Env() plan.Env {
	return func(name string) (time.Duration, bool) {
		if name == "detect" {
			return s.Detect(), true
		}
		return s.plan.Env(s.world)(name)
	}
}
