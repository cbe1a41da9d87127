package cause

import (
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	verbs "baton/scenarios/fault"
	"baton/scenarios/lab"
)

// asks reports whether a fault requests a handover.
func asks(f *trace.Fault) bool { return f != nil && verbs.Asks(f.Verb) }

// elsewhere reports whether a fault acts on no node and on no link of one.
func elsewhere(f *trace.Fault) bool {
	return len(f.Directions) == 0 && !slices.ContainsFunc(f.Hosts, lab.IsNode)
}

// concerns reports whether a fault can keep a MASTER from serving, or asks for a handover.
func concerns(f *trace.Fault, m *node) bool {
	verb, _ := verbs.Of(f.Verb)
	if verb.Asks || verb.Undo == "" {
		return verb.Asks
	}
	return slices.ContainsFunc(f.Hosts, func(host string) bool { return host == m.name || !lab.IsNode(host) }) ||
		slices.ContainsFunc(f.Directions, func(d trace.Direction) bool {
			return (d.From == m.name || d.To == m.name) && !(lab.IsNode(d.From) && lab.IsNode(d.To))
		})
}

// concerning is the last fault before an instant that is not undone and that can keep a MASTER from serving, or
// asks for a handover, and when it began; nil if there is none. A fault between the nodes, or on the other one, is none.
func concerning(events []trace.Event, before clock.Instant, m *node) (last *trace.Fault, began clock.Instant) {
	for _, e := range events {
		switch f := e.Fault; {
		case e.At > before:
			return last, began
		case f == nil || f.Phase != "begin":
		case last != nil && undoes(f, last):
			last = nil
		case concerns(f, m) && !(asks(last) && elsewhere(f)):
			last, began = f, e.At
		}
	}
	return last, began
}

// lastFault returns the last fault that began before an instant, and when it began.
func lastFault(events []trace.Event, before clock.Instant) (last *trace.Fault, began clock.Instant) {
	for _, e := range events {
		if e.At > before {
			break
		}
		if e.Fault != nil && e.Fault.Phase == "begin" {
			last, began = e.Fault, e.At
		}
	}
	return last, began
}

// undone is the last fault that a fault undid, nil if it undid none.
func undone(events []trace.Event, f *trace.Fault, began clock.Instant) (last *trace.Fault) {
	for _, e := range events {
		if e.At > began {
			break
		}
		if e.Fault != nil && e.Fault.Phase == "begin" && undoes(f, e.Fault) {
			last = e.Fault
		}
	}
	return last
}

// longAgo is how long before an instant a fault began that is not its cause any more.
const longAgo = 5 * time.Second

// following names the last fault before an instant, unless it is long ago, and the one that it undid; "" if
// there is none. It also names those that kept a node from acting since another instant.
func following(events []trace.Event, at clock.Instant, n *node, since clock.Instant) string {
	fault, began := lastFault(events, at)
	if fault == nil || at.Sub(began) > longAgo {
		return during(events, n, since, at, nil)
	}
	told := []*trace.Fault{fault}
	if gone := undone(events, fault, began); gone != nil {
		told = []*trace.Fault{gone, fault}
	}
	return " after " + listed(told) + during(events, n, since, at, told)
}

// during names the faults other than those told that kept a node from acting at some time between two instants.
func during(events []trace.Event, n *node, from, to clock.Instant, told []*trace.Fault) string {
	if n == nil {
		return ""
	}
	found := slices.DeleteFunc(effects(events, stretch{from, to}), func(e effect) bool {
		return e.host != n.name || !verbs.Stops(e.fault.Verb) || slices.Contains(told, e.fault)
	})
	if len(found) == 0 {
		return ""
	}
	return " during " + whats(found)
}
