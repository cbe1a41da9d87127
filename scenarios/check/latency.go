package check

import (
	"fmt"
	"slices"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// milestone finds an instant after a loss, within the time in which no fault hits the survivor.
type milestone func(loss, window) (clock.Instant, bool)

// latencies measures from each loss of a MASTER in the window until a milestone.
func (r *run) latencies(until milestone, w window) []sample {
	return r.between(func(l loss, _ window) (clock.Instant, bool) { return l.begin, true }, until, w)
}

// between measures from one milestone to another after each loss of a MASTER in the window. It
// is 0 if the second came first.
func (r *run) between(from, until milestone, w window) []sample {
	var samples []sample
	for _, l := range r.losses(w) {
		if n := r.stateBefore(l.begin).Nodes[l.node]; n == nil || n.Role != roleMaster {
			continue
		}
		life := r.survival(lab.Peer(l.node), l.begin)
		life.to = min(life.to, r.givesAway(l)-1)
		begin, begun := from(l, life)
		if at, ok := until(l, life); ok && begun {
			samples = append(samples, sample{window: window{l.begin, at}, value: round(milliseconds(max(0, at.Sub(begin)))),
				what: fmt.Sprintf("after %s %s at %s", l.verb, l.node, r.at(l.begin))})
		}
	}
	return samples
}

// survival is the time from a node's loss of its peer to the next fault of the node itself. It
// is empty for a node that is lost together with its peer.
func (r *run) survival(node string, from clock.Instant) window {
	touched := func(e *trace.Event) bool {
		return e.Fault != nil && e.Fault.Phase == "begin" && slices.Contains(e.Fault.Hosts, node)
	}
	life := window{from, r.to}
	for _, e := range r.others {
		switch {
		case !touched(e):
		case e.At >= from:
			life.to = min(life.to, e.At-1)
			return life
		case fault.Stops(e.Fault.Verb):
			life.to = from - 1
		default:
			life.to = r.to
		}
	}
	return life
}

// givesAway is when a lost node hands the role over itself, because it was frozen for less than its
// peer waits. What follows is no takeover. It is after the end of the run if that never happens.
func (r *run) givesAway(l loss) clock.Instant {
	for _, e := range r.others {
		asked := e.Fault != nil && e.Fault.Phase == "begin" && fault.Asks(e.Fault.Verb) && slices.Contains(e.Fault.Hosts, l.node)
		yields := e.Node == l.node && e.Role != nil && e.Role.To == roleYielding
		if e.At > l.begin && (asked || yields) {
			return e.At
		}
	}
	return r.to + 1
}

// lastDown finds when the last BFD path of the survivor went down, if all paths that were up at
// the loss did.
func (r *run) lastDown(l loss, life window) (clock.Instant, bool) {
	up := map[string]bool{}
	for name, p := range r.stateBefore(l.begin).Nodes[lab.Peer(l.node)].Paths {
		if p.State == stateUp {
			up[name] = true
		}
	}
	for _, e := range r.others {
		if e.Node != lab.Peer(l.node) || e.BFD == nil || !life.has(e.At) || e.BFD.To == stateUp || !up[e.BFD.Path] {
			continue
		}
		delete(up, e.BFD.Path)
		if len(up) == 0 {
			return e.At, true
		}
	}
	return 0, false
}

func (r *run) nextMaster(l loss, life window) (clock.Instant, bool) {
	for _, e := range r.others {
		if life.has(e.At) && e.Node == lab.Peer(l.node) && becameMaster(e) {
			return e.At, true
		}
	}
	return 0, false
}

// handovers measures from the begin of a handover to the peer's Master role. It begins with the
// stop or handover step, or, if the preferred node requested the role, with the Master's change
// to Yielding.
func (r *run) handovers(w window) []sample {
	var samples []sample
	wish, from := clock.Instant(0), ""
	s := NewState(r.plan, r.meta.World)
	for i := range r.events {
		e := &r.events[i]
		switch {
		case e.Fault != nil && e.Fault.Phase == "begin" && fault.Asks(e.Fault.Verb):
			for _, host := range e.Fault.Hosts {
				if n := s.Nodes[host]; n != nil && n.Role == roleMaster {
					wish, from = e.At, n.Name
				}
			}
		case e.Fault != nil && e.Fault.Phase == "begin" && slices.Contains(e.Fault.Hosts, from):
			from = "" // crashed during the handover
		case e.Role != nil && e.Role.To == roleYielding && e.Role.From == roleMaster && e.Node != from:
			wish, from = e.At, e.Node
		case becameMaster(e) && from != "":
			if e.Node == lab.Peer(from) && w.has(wish) {
				samples = append(samples, sample{window: window{wish, e.At}, value: round(milliseconds(e.At.Sub(wish))),
					what: fmt.Sprintf("from %s to %s at %s", from, e.Node, r.at(wish))})
			}
			from = ""
		}
		s.Apply(e)
	}
	return samples
}

// syncs measures a value of each sync that completed in the window after a restore or heal.
func (r *run) syncs(value func(*trace.Sync) float64, w window) []sample {
	var samples []sample
	after := false
	for _, e := range r.events {
		if f := e.Fault; f != nil && fault.Resyncs(f.Verb) {
			after = true
		}
		if !after || e.Sync == nil || !w.has(e.At) || !completed(e.Sync) {
			continue
		}
		samples = append(samples, sample{window: point(e.At), value: value(e.Sync),
			what: fmt.Sprintf("%s, %d entries at %s", e.Node, e.Sync.Entries, r.at(e.At))})
	}
	return samples
}

// completed reports whether a sync completes with the event. Later reports of the same state
// have no Took.
func completed(s *trace.Sync) bool { return s.Phase == "insync" && s.Took > 0 }
