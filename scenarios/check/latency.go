package check

import (
	"fmt"
	"slices"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// milestone finds an instant after a loss, while the survivor goes on untouched.
type milestone func(loss, window) (clock.Instant, bool)

// latencies measures from each loss of a MASTER in the window until something, a sample
// each.
func (r *run) latencies(until milestone, w window) []sample {
	return r.between(func(l loss, _ window) (clock.Instant, bool) { return l.begin, true }, until, w)
}

// between measures, for each loss of a MASTER in the window, from one thing to another: 0
// where the other came first.
func (r *run) between(from, until milestone, w window) []sample {
	var samples []sample
	for _, l := range r.losses(w) {
		if n := r.stateBefore(l.begin).Nodes[l.node]; n == nil || n.Role != roleMaster {
			continue
		}
		life := r.survival(lab.Peer(l.node), l.begin)
		begin, begun := from(l, life)
		if at, ok := until(l, life); ok && begun {
			samples = append(samples, sample{window: window{l.begin, at}, value: round(milliseconds(max(0, at.Sub(begin)))),
				what: fmt.Sprintf("after %s %s at %s", l.verb, l.node, r.at(l.begin))})
		}
	}
	return samples
}

// survival is the time for which a node goes on untouched from an instant at
// which its peer is lost: to the next fault of its own. It is empty for a node that
// is lost together with its peer.
func (r *run) survival(node string, from clock.Instant) window {
	touched := func(e *trace.Event) bool {
		return e.Fault != nil && slices.Contains(e.Fault.Hosts, node)
	}
	life := window{from, r.to}
	for _, e := range r.others {
		switch {
		case !touched(e):
		case e.At >= from:
			life.to = e.At - 1
			return life
		case fault.Stops(e.Fault.Verb):
			life.to = from - 1
		default:
			life.to = r.to
		}
	}
	return life
}

// lastDown is when the last of the survivor's BFD paths that were up at the loss
// went down, provided that all of them did.
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

// handovers measures from a Master's wish to leave to its peer's Master role. The
// wish is the stop or handover that asked for it; without one, as when the
// preferred node asks for the role back, it is the Master's own Yielding.
func (r *run) handovers(w window) []sample {
	var samples []sample
	wish, from, asked := clock.Instant(0), "", false
	s := NewState(r.plan, r.meta.World)
	for i := range r.events {
		e := &r.events[i]
		switch {
		case e.Fault != nil && e.Fault.Phase == "begin" && fault.Asks(e.Fault.Verb):
			for _, host := range e.Fault.Hosts {
				if n := s.Nodes[host]; n != nil && n.Role == roleMaster {
					wish, from, asked = e.At, n.Name, true
				}
			}
		case e.Fault != nil && e.Fault.Phase == "begin" && slices.Contains(e.Fault.Hosts, from):
			from, asked = "", false // crashed in the middle of it
		case e.Role != nil && e.Role.To == roleYielding && e.Role.From == roleMaster && !(asked && e.Node == from):
			wish, from = e.At, e.Node
		case becameMaster(e) && from != "":
			if e.Node == lab.Peer(from) && w.has(wish) {
				samples = append(samples, sample{window: window{wish, e.At}, value: round(milliseconds(e.At.Sub(wish))),
					what: fmt.Sprintf("from %s to %s at %s", from, e.Node, r.at(wish))})
			}
			from, asked = "", false
		}
		s.Apply(e)
	}
	return samples
}

// syncs measures a value of each sync by which a node came to be insync in
// the window after a restore or heal.
func (r *run) syncs(value func(*trace.Sync) float64, w window) []sample {
	var samples []sample
	after := false
	for _, e := range r.events {
		if f := e.Fault; f != nil && f.Phase == "begin" && fault.Resyncs(f.Verb) {
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

// completed reports whether the event says that a sync has come to its end. Later
// reports of the same state carry no Took.
func completed(s *trace.Sync) bool { return s.Phase == "insync" && s.Took > 0 }
