package check

import (
	"fmt"
	"maps"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
)

// kept judges that no node forgets entries of sessions that live: its table, as its
// digest reports tell, does not shrink below the sessions that are open. A daemon
// that ends forgets; what two parts of a pair opened apart cannot be merged; and a node
// that never had the whole table, or lacks of it already, has nothing to keep.
func (r *run) kept(f finding, w window) finding {
	parts := r.partings()
	last := map[string]*trace.Event{} // of the nodes that hold the whole table
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
				bad = append(bad, fmt.Sprintf("%s from %d to %d entries between %s and %s with %d sessions open, %s", e.Node,
					before.Replica.Entries, e.Replica.Entries, r.at(before.At), r.at(e.At), live, r.since(e.At)))
				when = append(when, window{before.At, e.At})
			}
		}
	}
	if len(bad) > 0 {
		return f.fail(fmt.Sprintf("kept over %s: a table shrank below what is in use: %s", r.span(w), some(bad, shown)), when...)
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("kept over %s: %d tables, none below what was in use", r.span(w), compared)
	return f
}

// liveThroughout is how many sessions are open from the last totals before the
// window's begin to the first after its end, of all lines together.
func (r *run) liveThroughout(w window) int {
	least := map[string]int{}
	closed := map[string]clock.Instant{} // line: when it was last known
	for _, e := range r.open {
		t := e.Totals
		at, known := closed[t.Name]
		switch {
		case known && at >= w.to: // what comes later says nothing of the window
		case e.At <= w.from:
			least[t.Name] = t.Sessions
		default:
			if _, before := least[t.Name]; !before {
				least[t.Name] = 0
			}
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
