package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

// served judges that wherever a node runs and reaches what it tracks, one such node
// forwards. What the world did last may keep the pair from it for as long as the plan
// says that a repair may take; a handover, or a MASTER that makes way for a peer which does
// not hear it, may for as long as a detection.
func (r *run) served(f finding, w window) finding {
	if len(r.events) == 0 {
		return f.unjudged("served: the trace is empty")
	}
	calm := r.calmFrom()
	if calm == clock.Never {
		return f.unjudged("served: the chaos never ends, and nobody has to serve through it")
	}
	leases := r.leases
	var bad []string
	var when []window
	judged := 0
	for _, s := range r.stretches {
		limit := r.plan.Repair(r.meta.World)
		if !s.whole {
			limit = r.plan.RepairDegraded(r.meta.World)
		}
		due, any := w.clip(max(s.from, calm).Add(limit), s.to)
		if len(s.able) == 0 || !any {
			continue
		}
		judged++
		for _, hole := range r.unserved(leases, due, s.able) {
			if r.makesWay(hole, s.deaf) {
				continue
			}
			bad = append(bad, fmt.Sprintf("%s from %s to %s, %s; %s could serve, and had %s", r.forwards(leases, hole),
				r.at(hole.from), r.at(hole.to), r.since(hole.from), strings.Join(s.able, " and "), limit))
			when = append(when, hole)
		}
	}
	if len(bad) > 0 {
		return f.fail(fmt.Sprintf("served over %s: %s", r.span(w), some(bad, shown)), when...)
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("served over %s: a node that could serve did, in %d stretches between faults", r.span(w), judged)
	return f
}

// unserved lists what of the window no lease of the nodes covers, but for handovers.
func (r *run) unserved(leases []tenure, w window, by []string) []window {
	var holes []window
	at := w.from
	leases = slices.Clone(leases)
	slices.SortFunc(leases, byTime)
	hole := func(to clock.Instant) {
		if h := (window{at, to}); at < to && !r.handsOver(h) {
			holes = append(holes, h)
		}
	}
	for _, l := range leases {
		if !slices.Contains(by, l.node) || l.to <= at || l.from >= w.to {
			continue
		}
		hole(l.from)
		at = max(at, l.to)
	}
	if at < w.to {
		hole(w.to)
	}
	return holes
}

// handsOver reports whether all of a window lies within a detection time of a node's giving its
// role away. Its lease may end after it has said so, where a call on its dataplane takes time.
func (r *run) handsOver(w window) bool {
	may := window{w.to.Add(-r.plan.Detect(r.meta.World)), w.to}
	return w.from >= may.from && slices.ContainsFunc(r.others, func(e *trace.Event) bool {
		return e.Role != nil && e.Role.To == roleYielding && may.has(e.At)
	})
}

// makesWay reports whether a window begins as a MASTER makes way for the claim of a deaf peer,
// and ends with that claim, which gives notice for a detection time; a tenth more is for the
// calls of both. Nobody can tell a deaf node that it is not needed, and its recovery delay may
// end long after the fault.
func (r *run) makesWay(w window, deaf []string) bool {
	detect := r.plan.Detect(r.meta.World)
	return slices.ContainsFunc(r.others, func(e *trace.Event) bool {
		claim := window{e.At, e.At.Add(detect + detect/10)}
		return e.Role != nil && e.Role.To == roleClaiming && slices.Contains(deaf, e.Node) && claim.has(w.from) && claim.has(w.to) &&
			r.leaves(lab.Peer(e.Node), window{e.At, w.from})
	})
}

// leaves reports whether a node gives up the role in a window.
func (r *run) leaves(node string, w window) bool {
	return slices.ContainsFunc(r.others, func(e *trace.Event) bool {
		return e.Role != nil && e.Node == node && e.Role.From == roleMaster && e.Role.To != roleMaster && w.has(e.At)
	})
}

// forwards says who forwards at the window's begin.
func (r *run) forwards(leases []tenure, w window) string {
	for _, node := range lab.Nodes() {
		if slices.ContainsFunc(leases, func(l tenure) bool { return l.node == node && l.from <= w.from && l.to > w.from }) {
			return "only " + node + " forwards, which cannot serve,"
		}
	}
	return "nobody forwards"
}
