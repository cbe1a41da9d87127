package cause

import (
	"cmp"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/check"
	verbs "baton/scenarios/fault"
	"baton/scenarios/lab"
)

// effect is what a fault does to one host, or in one direction of a link.
type effect struct {
	fault     *trace.Fault
	at, until clock.Instant // until is clock.Never if it is not undone
	host      string
	direction trace.Direction
}

// stretch is a time from one instant to another; it is empty if from is not before to.
type stretch struct{ from, to clock.Instant }

// overlap is the part of a stretch in which two effects were active.
func (e effect) overlap(o effect, s stretch) stretch {
	return stretch{max(e.at, o.at, s.from), min(e.until, o.until, s.to)}
}

// covered returns how long at least one of the stretches lasted.
func covered(stretches []stretch) (total time.Duration) {
	slices.SortFunc(stretches, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	var until clock.Instant
	for _, s := range stretches {
		total += max(s.to.Sub(max(s.from, until)), 0)
		until = max(until, s.to)
	}
	return total
}

// effects returns the effects of faults that were active at some time in a stretch.
func effects(events []trace.Event, s stretch) (list []effect) {
	for _, e := range events {
		if e.At > s.to {
			break
		}
		switch f := e.Fault; {
		case f == nil:
		case f.Phase == "begin" && verbs.UndoOf(f.Verb) != "":
			for _, host := range f.Hosts {
				list = append(list, effect{fault: f, at: e.At, until: clock.Never, host: host})
			}
			for _, d := range f.Directions {
				list = append(list, effect{fault: f, at: e.At, until: clock.Never, direction: d})
			}
		case f.Phase == "receipt":
			for i, is := range list {
				if is.until == clock.Never && undoes(f, is.fault) && (slices.Contains(f.Hosts, is.host) || slices.Contains(f.Directions, is.direction)) {
					list[i].until = e.At
				}
			}
		}
	}
	return slices.DeleteFunc(list, func(is effect) bool { return is.until < s.from })
}

// undoes reports whether a fault undoes another, or a part of it.
func undoes(f, other *trace.Fault) bool {
	shared := func(host string) bool { return slices.Contains(f.Hosts, host) }
	same := func(d trace.Direction) bool { return slices.Contains(f.Directions, d) }
	return verbs.UndoOf(other.Verb) == f.Verb && (slices.ContainsFunc(other.Hosts, shared) || slices.ContainsFunc(other.Directions, same))
}

// source is the host to which an effect is attributed.
func (e effect) source() string { return cmp.Or(e.host, e.direction.From) }

// takesFlow reports whether an effect keeps a node from the client of a flow or from its backend. A port that is down takes
// every backend, also one that the trace does not name.
func (e effect) takesFlow(node string, flow silentFlow) bool {
	verb, _ := verbs.Of(e.fault.Verb)
	d := e.direction
	backend := flow.backend
	if backend == "" && verb.On == verbs.Ports {
		backend = d.To
	}
	return e.takes(node, flow.client) || e.host == "" && d.Link == lab.Backends && e.takes(node, backend)
}

// takes reports whether an effect keeps a node from a host.
func (e effect) takes(node, host string) bool {
	verb, _ := verbs.Of(e.fault.Verb)
	if e.host != "" {
		return (e.host == node || e.host == host) && verb.On == verbs.Machines && verb.To != verbs.Running
	}
	d := e.direction
	return parts(verb) && d.Only == "" && (d.From == node && d.To == host || d.From == host && d.To == node)
}

// parts reports whether no packet passes in the directions of a verb: a cut, or a port that is down.
func parts(verb verbs.Verb) bool { return verb.Severs || verb.On == verbs.Ports && verb.Undo != "" }

// whats names the faults of effects: "crash backend1, crash backend2 and crash backend3".
func whats(list []effect) string {
	faults := make([]*trace.Fault, len(list))
	for i, e := range list {
		faults[i] = e.fault
	}
	return listed(faults)
}

func listed(faults []*trace.Fault) string {
	names := make([]string, len(faults))
	for i, f := range faults {
		names[i] = f.What()
	}
	return check.Listed(names)
}

// afflicted names the faults that lasted on the nodes themselves at an instant: " (certificate foreign lb2)"; "" if there are none.
func afflicted(events []trace.Event, at clock.Instant) string {
	found := slices.DeleteFunc(effects(events, stretch{at, at}), func(e effect) bool { return !lab.IsNode(e.host) })
	if len(found) == 0 {
		return ""
	}
	return " (" + whats(found) + ")"
}

// unlinked names the faults that parted the nodes on the sync link, or their stream, at an instant: " (cut sync)"; "" if there
// are none.
func unlinked(events []trace.Event, at clock.Instant) string {
	found := slices.DeleteFunc(effects(events, stretch{at, at}), func(e effect) bool {
		verb, _ := verbs.Of(e.fault.Verb)
		d := e.direction
		return !parts(verb) || d.Link != lab.Sync || d.Only != "" && d.Only != lab.Stream
	})
	found = slices.CompactFunc(found, func(a, b effect) bool { return a.fault == b.fault })
	if len(found) == 0 {
		return ""
	}
	return " (" + whats(found) + ")"
}
