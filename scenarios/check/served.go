package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

// served judges that one node that can serve forwards, whenever there is one: a node that runs
// and reaches what it tracks. After a fault the pair has the plan's repair time to begin. A
// handover has a detection time, and so has a MASTER that yields to a peer that cannot hear it.
func (r *run) served(f finding, w window) finding {
	calm := r.calmFrom()
	if calm == clock.Never {
		return f.unjudged("served: the chaos never ends, so no node is required to serve")
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
			bad = append(bad, fmt.Sprintf("%s from %s to %s, %s; %s could serve and had %s to begin", r.forwards(leases, hole),
				r.at(hole.from), r.at(hole.to), r.since(hole.from), strings.Join(s.able, " and "), limit))
			when = append(when, hole)
		}
	}
	if len(bad) > 0 {
		return f.fail(fmt.Sprintf("served over %s: %s", r.span(w), some(bad, shown)), when...)
	}
	f.Verdict, f.Detail = Pass, fmt.Sprintf("served over %s: a node that could serve did, in each of %d stretches between faults", r.span(w), judged)
	return f
}

// unserved lists the parts of the window that no lease of the nodes covers, without handovers.
func (r *run) unserved(leases []tenure, w window, by []string) []window {
	var holes []window
	at := w.from
	hole := func(to clock.Instant) {
		if h := (window{at, to}); at < to && !r.handsOver(h) {
			holes = append(holes, h)
		}
	}
	for _, l := range leases {
		if !slices.Contains(by, l.node) || l.from >= w.to {
			continue
		}
		hole(l.from)
		at = max(at, l.to)
	}
	hole(w.to)
	return holes
}

// handsOver reports whether the whole window lies within a detection time after a node began to
// hand over. Its lease may end later than its report, if a call on its dataplane is slow.
func (r *run) handsOver(w window) bool {
	may := window{w.to.Add(-r.plan.Detect(r.meta.World)), w.to}
	return w.from >= may.from && slices.ContainsFunc(r.others, func(e *trace.Event) bool {
		return e.Role != nil && e.Role.To == roleYielding && may.has(e.At)
	})
}

// makesWay reports whether in the window a MASTER has yielded to the claim of a deaf peer. The
// claim gives notice for a detection time; a tenth more allows for the dataplane calls of both
// nodes. No message can stop a deaf node from claiming, and its recovery delay may end long after
// the fault.
func (r *run) makesWay(w window, deaf []string) bool {
	detect := r.plan.Detect(r.meta.World)
	return slices.ContainsFunc(r.others, func(e *trace.Event) bool {
		claim := window{e.At, e.At.Add(detect + detect/10)}
		return e.Role != nil && e.Role.To == roleClaiming && slices.Contains(deaf, e.Node) && claim.has(w.to) &&
			r.leaves(lab.Peer(e.Node), window{e.At, w.from})
	})
}

// leaves reports whether a node gives up the role in a window.
func (r *run) leaves(node string, w window) bool {
	return slices.ContainsFunc(r.others, func(e *trace.Event) bool {
		return e.Role != nil && e.Node == node && e.Role.From == roleMaster && e.Role.To != roleMaster && w.has(e.At)
	})
}

// forwards says which node forwards at the window's begin.
func (r *run) forwards(leases []tenure, w window) string {
	for _, node := range lab.Nodes() {
		if slices.ContainsFunc(leases, func(l tenure) bool { return l.node == node && l.from <= w.from && l.to > w.from }) {
			return "only " + node + " forwards, but it cannot serve,"
		}
	}
	return "no node forwards"
}
