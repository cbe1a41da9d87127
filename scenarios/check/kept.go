package check

import (
	"fmt"
	"maps"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
)

// kept judges by the digest reports that no table shrinks below the number of open sessions.
// It excludes a node whose daemon ended, nodes that could not hear each other (their tables
// cannot be merged), and a node that never had the complete table or has lost part of it.
func (r *run) kept(f finding, w window) finding {
	parts := r.partings()
	last := map[string]*trace.Event{} // latest digest report of each node that has the complete table
	state, whole := NewState(r.plan, r.meta.World), holders{}
	var bad []string
	var when []window
	compared := 0
	for i := range r.events {
		e := &r.events[i]
		state.Apply(e)
		whole.follow(state)
		maps.DeleteFunc(last, func(node string, _ *trace.Event) bool { return !whole[node] })
		switch {
		case e.Fault != nil && fault.Ends(e.Fault.Verb):
			for _, node := range e.Fault.Hosts {
				delete(last, node)
			}
		case e.Replica != nil:
			before, known := last[e.Node]
			if whole[e.Node] {
				last[e.Node] = e
			}
			if !known || !w.has(e.At) {
				continue
			}
			compared++
			live := r.liveThroughout(window{before.At, e.At})
			if before.Replica.Entries >= live && e.Replica.Entries < live && !excusedAt(parts, e.At) {
				bad = append(bad, fmt.Sprintf("%s from %d to %d entries between %s and %s with %d open sessions, %s", e.Node,
					before.Replica.Entries, e.Replica.Entries, r.at(before.At), r.at(e.At), live, r.since(e.At)))
				when = append(when, window{before.At, e.At})
			}
		}
	}
	if len(bad) > 0 {
		return f.fail(fmt.Sprintf("kept over %s: a table shrank below the open sessions: %s", r.span(w), some(bad, shown)), when...)
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("kept over %s: %d reports, no table shrank below the open sessions", r.span(w), compared)
	return f
}

// liveThroughout counts the sessions of all lines that were open from the last totals before
// the window to the first after it. A line without totals before the window counts as 0.
func (r *run) liveThroughout(w window) int {
	least := map[string]int{}
	closed := map[string]clock.Instant{} // by line: the time of its last totals
	for _, e := range r.open {
		t := e.Totals
		switch {
		case closed[t.Name] >= w.to: // later totals do not concern the window
		case e.At <= w.from:
			least[t.Name] = t.Sessions
		default:
			least[t.Name] = min(least[t.Name], t.Sessions)
		}
		closed[t.Name] = e.At
	}
	sum := 0
	for _, n := range least { // in any order: a sum
		sum += n
	}
	return sum
}
