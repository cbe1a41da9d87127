package check

import (
	"fmt"
	"slices"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/capability"
	"baton/scenarios/lab"
)

// unseated is the time after a stall has cost a MASTER its role.
type unseated struct {
	window
	node  string
	stall stall
	// tableless: the next MASTER claimed without the complete table.
	tableless bool
}

// unseated finds each MASTER that became BACKUP in a stall of the host or up to one detection time
// after it, while the other node was not MASTER, if the subject has a lease that a stall can end. The
// time lasts until a node is MASTER again, and two detection times longer, in which clients notice. A
// stall shorter than half a detection time ends no lease: the MASTER has sent heartbeats since.
func (r *run) unseated() (found []unseated) {
	if slices.Contains(r.meta.Lacks, capability.Lease) {
		return nil
	}
	detect := r.plan.Detect(r.meta.World)
	for _, e := range r.roles {
		if e.Role.From != roleMaster || e.Role.To != roleBackup || r.isMaster(lab.Peer(e.Node), e.At) {
			continue
		}
		for _, s := range r.stalls {
			if s.took >= detect/2 && (window{s.from, s.to.Add(detect)}).has(e.At) {
				again := r.masterAgain(e.At)
				found = append(found, unseated{window{e.At, again.Add(2 * detect)}, e.Node, s, r.claimedWithoutTable(window{s.from, again})})
				break
			}
		}
	}
	return found
}

// claimedWithoutTable reports whether a node claimed in the window although its table was incomplete.
func (r *run) claimedWithoutTable(w window) bool {
	return slices.ContainsFunc(r.roles, func(e trace.Event) bool {
		return w.has(e.At) && e.Role.To == roleClaiming && e.Role.Degraded
	})
}

// afterLostTable makes a failure INCONCLUSIVE if a stall has cost a MASTER its role before, and the
// next one had no complete table: the sessions of the first are gone.
func (r *run) afterLostTable(f finding) finding {
	failed := f.firstFailed()
	for _, u := range r.unseated() {
		if failed != nil && u.tableless && u.stall.from <= failed.From {
			return f.doubtful(fmt.Sprintf("%s, which cost %s its role while its peer's table was incomplete", r.stalled(u.stall), u.node))
		}
	}
	return f
}

// masterAgain is when a node next becomes MASTER, or else the end.
func (r *run) masterAgain(after clock.Instant) clock.Instant {
	next := r.to
	for _, t := range r.mastership {
		if t.from > after {
			next = min(next, t.from)
		}
	}
	return next
}

func (r *run) isMaster(node string, at clock.Instant) bool {
	return slices.ContainsFunc(r.mastership, func(t tenure) bool { return t.node == node && t.has(at) })
}
