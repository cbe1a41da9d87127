// Package parity compares two runs of one scenario, one in namespaces and one in
// virtual time: the role changes of the nodes, in causal order and with their
// reasons. Their order must be the same. Their times are reported but not judged.
// It is pure; the command line and the suite call it.
package parity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// Change is one change of a role.
type Change struct {
	Node, From, To, Reason string
	Degraded               bool
	// After is the last step before the change that both worlds have (a guarded step happens in
	// one world only). In a group of simultaneous steps it is the first. Took is the time since
	// its begin.
	After string
	Took  time.Duration

	began clock.Instant // begin of the step
	// paused: the node runs only for a share of the time, so it changes its role late, by chance.
	paused bool
}

func (c Change) String() string {
	s := fmt.Sprintf("%s %s → %s: %s", c.Node, c.From, c.To, c.Reason)
	if c.Degraded {
		s += " (degraded)"
	}
	return s
}

// same reports whether two changes are equal except for their time.
func (c Change) same(o Change) bool {
	return c.Node == o.Node && c.From == o.From && c.To == o.To && c.Reason == o.Reason && c.Degraded == o.Degraded && c.After == o.After
}

// holds reports whether a role excludes the same role of the peer. Changes to and from these roles
// are ordered between the nodes, because each follows from the other's.
func holds(role string) bool { return role == "Claiming" || role == "Master" || role == "Yielding" }

// Verdict is the outcome of a comparison.
type Verdict struct {
	Same bool
	// Differences describe where the order differs, each with both sides.
	Differences []string
	// Stalled is how long the host stalled before a difference; of several differences the
	// shortest. A stall may move a change behind the next step or delay a node's boot. If it is
	// longer than the scenario tolerates, the comparison proves nothing.
	Stalled time.Duration
	// Timing has an entry for each change that both runs have.
	Timing []Timing
}

// Timing is how long after its step a role change came in each world.
type Timing struct {
	Change     Change // as in the namespaces
	Netns, Sim time.Duration
}

func (t Timing) String() string {
	return fmt.Sprintf("%s, after %q: netns %v, sim %v", t.Change, t.Change.After, rounded(t.Netns), rounded(t.Sim))
}

func (t Timing) apart() time.Duration { return max(t.Netns-t.Sim, t.Sim-t.Netns) }

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// together is the interval within which steps count as simultaneous: which of them reaches a node
// first is chance. It applies to virtual time, so steps that the scenario has at one instant are
// simultaneous however long the namespaces need for each.
const together = 10 * time.Millisecond

// groups maps each step that both worlds have to the first step of its group: the steps that begin
// within together of that one in virtual time, where each step begins when the scenario says.
func groups(sim []trace.Event, steps map[string]bool) map[int]int {
	group := map[int]int{}
	first, since := -1, clock.Instant(0)
	for _, e := range sim {
		if e.Step == nil || e.Step.Phase != "begin" || !steps[e.Step.Text] {
			continue
		}
		if first < 0 || e.At.Sub(since) >= together {
			first, since = e.Step.Index, e.At
		}
		group[e.Step.Index] = first
	}
	return group
}

// brief is the longest claim that may have been ended by a simultaneous fault. It is shorter than a
// detection time, because a change that BFD detects is no race.
const brief = 100 * time.Millisecond

// changes lists the role changes of a trace by time, with the steps that they follow.
func changes(events []trace.Event, steps map[string]bool, group map[int]int) []Change {
	events = slices.Clone(events)
	trace.Sort(events)
	var list []Change
	after, since, of := "", clock.Instant(0), -1
	faults := map[clock.Instant]int{} // number of simultaneous faults, by the begin of their step
	stepping := false                 // the last step has not ended: its fault may wait for the receipt of one before
	starved := map[string]string{}    // nodes, and the step after which each is
	for _, e := range events {
		if f := e.Fault; f != nil && len(f.Hosts) > 0 {
			starve(starved, f, after)
		}
		if e.Step != nil {
			stepping = e.Step.Phase == "begin" && steps[e.Step.Text]
		}
		switch {
		case e.Fault != nil && e.Fault.Phase == "begin" && (stepping || e.At.Sub(since) < together):
			faults[since] += max(1, len(unplugged(e.Fault)))
		case e.Step != nil && e.Step.Phase == "begin" && steps[e.Step.Text]:
			first, known := group[e.Step.Index]
			if !known { // the simulated run ended before it
				first = e.Step.Index
			}
			if first != of {
				after, since, of = e.Step.Text, e.At, first
			}
		case e.Role != nil && e.Role.From != e.Role.To:
			c := Change{Node: e.Node, From: e.Role.From, To: e.Role.To, Reason: e.Role.Reason,
				Degraded: e.Role.Degraded, After: after, Took: e.At.Sub(since), began: since}
			switch hungry, paused := starved[e.Node]; {
			case c.From == "Init":
				c.After = boot
			case paused: // when it runs is chance, and so which steps it sees before
				c.After, c.paused = hungry, true
			}
			list = append(list, c)
		}
	}
	return direct(list, faults)
}

// starve notes which nodes run only for a share of the time, and the step after which they do. A node that was given its time back, or whose process
// ended, is none of them.
func starve(starved map[string]string, f *trace.Fault, after string) {
	verb, _ := fault.Of(f.Verb)
	for _, host := range f.Hosts {
		switch {
		case f.Verb == fault.Starve && f.Phase == "begin":
			if _, is := starved[host]; !is && strings.Contains(f.Target, fault.KeyCPU+"=") {
				starved[host] = after
			}
		case f.Verb == fault.Feed && f.Phase == "receipt", verb.To == fault.Crashed, verb.To == fault.Ended:
			delete(starved, host)
		}
	}
}

// boot is what a node's first change follows. How long a boot takes, and so which steps it overlaps,
// depends on the machine.
const boot = "its start"

// unplugged lists the nodes that a fault cuts off from hosts other than the peer. A switch that goes
// down is a fault of each node: one loses its carrier after the other.
func unplugged(f *trace.Fault) []string {
	var nodes []string
	for _, d := range f.Directions {
		if lab.IsNode(d.From) && !lab.IsNode(d.To) && !slices.Contains(nodes, d.From) {
			nodes = append(nodes, d.From)
		}
	}
	return nodes
}

// direct removes changes that depend on a race, and keeps the change from the role before to the role
// after. There are two kinds. A claim that a packet of the peer ends at once would not have begun had
// the packet come first. With simultaneous faults a node may notice the peer's fault or its own
// first: so it may claim until the second fault, or may find no peer to hand over to when it stops.
func direct(list []Change, faults map[clock.Instant]int) []Change {
	var kept []Change
	claims, stops := map[string]Change{}, map[string]Change{} // by node: its latest claim, its latest change to Yielding
	without := func(c, from Change) {
		kept = slices.DeleteFunc(kept, func(k Change) bool {
			return k.Node == c.Node && k.began == c.began && k.Took >= from.Took
		})
	}
	for _, c := range list {
		claim, claimed := claims[c.Node]
		stop, stopped := stops[c.Node]
		chance := c.Took < brief && faults[c.began] >= 2
		switch {
		case !holds(c.From) && holds(c.To):
			claims[c.Node] = c
		case claimed && !holds(c.To):
			delete(claims, c.Node)
			refused := c.From == "Claiming" && c.Took-claim.Took < together
			if c.began != claim.began || !chance && !refused {
				break
			}
			without(c, claim)
			if c.From = claim.From; c.From == c.To {
				continue
			}
		}
		switch {
		case c.To == "Yielding":
			stops[c.Node] = c
		case chance && holds(c.From) && !holds(c.To):
			if stopped && stop.began == c.began {
				without(c, stop)
				c.From = stop.From
			}
			c.Reason = atOnce
		}
		kept = append(kept, c)
	}
	return kept
}

// atOnce is the reason of a node that gave its role up in simultaneous faults.
const atOnce = "in simultaneous faults"

// Compare compares two traces of one scenario.
//
// The changes of each node must be the same, in the same order. Between the nodes only
// changes to and from the exclusive roles are ordered: two nodes that boot at the same
// time may become Backup in either order. Those of a node without its CPU time are not: its
// lease ends in time, but it may sleep on before it changes its role.
func Compare(netns, sim []trace.Event) Verdict {
	steps := common(begun(netns), begun(sim))
	group := groups(sim, steps)
	real, simulated := changes(netns, steps, group), changes(sim, steps, group)
	v, ground := Verdict{}, hostOf(netns)
	for _, node := range nodes(real, simulated) {
		v.differ(ground, "what "+node+" did", of(real, node), of(simulated, node))
	}
	v.differ(ground, "who had the role", exclusive(real), exclusive(simulated))
	v.Same = len(v.Differences) == 0
	for _, c := range pairs(real, simulated) {
		v.Timing = append(v.Timing, Timing{Change: c[0], Netns: c[0].Took, Sim: c[1].Took})
	}
	return v
}

// begun returns the texts of the steps in a trace.
func begun(events []trace.Event) map[string]bool {
	steps := map[string]bool{}
	for _, e := range events {
		if e.Step != nil {
			steps[e.Step.Text] = true
		}
	}
	return steps
}

func common(a, b map[string]bool) map[string]bool {
	maps.DeleteFunc(a, func(step string, _ bool) bool { return !b[step] })
	return a
}

func nodes(lists ...[]Change) []string {
	var names []string
	for _, list := range lists {
		for _, c := range list {
			if !slices.Contains(names, c.Node) {
				names = append(names, c.Node)
			}
		}
	}
	slices.Sort(names)
	return names
}

func of(list []Change, node string) []Change {
	return slices.DeleteFunc(slices.Clone(list), func(c Change) bool { return c.Node != node })
}

func exclusive(list []Change) []Change {
	return slices.DeleteFunc(slices.Clone(list), func(c Change) bool { return c.paused || !holds(c.From) && !holds(c.To) })
}

// pairs matches the changes of each node one to one, up to the first difference.
func pairs(real, simulated []Change) [][2]Change {
	var list [][2]Change
	for _, node := range nodes(real) {
		a, b := of(real, node), of(simulated, node)
		for i := range min(len(a), len(b)) {
			if !a[i].same(b[i]) {
				break
			}
			list = append(list, [2]Change{a[i], b[i]})
		}
	}
	return list
}

// differ adds the first difference of two lists.
func (v *Verdict) differ(ground host, what string, real, simulated []Change) {
	for i := range max(len(real), len(simulated)) {
		a, b := "nothing more", "nothing more"
		var c, other *Change
		if i < len(real) {
			c = &real[i]
			a = fmt.Sprintf("%s (after %q)", c, c.After)
		}
		if i < len(simulated) {
			other = &simulated[i]
			b = fmt.Sprintf("%s (after %q)", other, other.After)
		}
		if c == nil || other == nil || !c.same(*other) {
			if stalled := ground.stoodStill(c, other); len(v.Differences) == 0 || stalled < v.Stalled {
				v.Stalled = stalled
			}
			v.Differences = append(v.Differences, fmt.Sprintf("%s differs at change %d:\n  netns  %s\n  sim    %s", what, i+1, a, b))
			return
		}
	}
}

// Summary is the verdict in one line, with the change whose times differ most. Changes after the first
// step, while programs start, count only if there are no others.
func (v Verdict) Summary() string {
	if !v.Same {
		return fmt.Sprintf("DIFFERENT, at %d places", len(v.Differences))
	}
	if len(v.Timing) == 0 {
		return "same: no role changed"
	}
	start := v.Timing[0].Change.After
	timing := slices.DeleteFunc(slices.Clone(v.Timing), func(t Timing) bool { return t.Change.After == start })
	if len(timing) == 0 {
		timing = v.Timing
	}
	far := slices.MaxFunc(timing, func(a, b Timing) int { return cmp.Compare(a.apart(), b.apart()) })
	return fmt.Sprintf("same order of %d changes; furthest apart by %v: %s", len(v.Timing), rounded(far.apart()), far)
}

// String is the summary with the differences, and the timing of the changes that agree.
func (v Verdict) String() string {
	lines := append([]string{v.Summary()}, v.Differences...)
	for i, t := range v.Timing {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, t))
	}
	return strings.Join(lines, "\n")
}
