package check

import (
	"fmt"
	"slices"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/capability"
	"baton/scenarios/fault"
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

// afterLostTable makes a failure INCONCLUSIVE if a stall has cost the pair its only table before: a MASTER
// lost its role in it and the next one had no complete table, or a MASTER ended whose peer had no time to sync.
func (r *run) afterLostTable(f finding) finding {
	failed := f.firstFailed()
	if failed == nil {
		return f
	}
	for _, u := range r.unseated() {
		if u.tableless && u.stall.from <= failed.From {
			return f.doubtful(fmt.Sprintf("%s, which cost %s its role while its peer's table was incomplete", r.stalled(u.stall), u.node))
		}
	}
	for _, ended := range r.begun {
		if fault.Ends(ended.Fault.Verb) && ended.At <= failed.From {
			if why := r.noTimeToSync(ended); why != "" {
				return f.doubtful(why)
			}
		}
	}
	return f
}

// noTimeToSync says that a node which was restored was not yet in sync when its peer ended, and could not run for
// at least half the time between. It returns "" if it had its time, or was not restored.
func (r *run) noTimeToSync(ended trace.Event) string {
	for _, host := range ended.Fault.Hosts {
		if !lab.IsNode(host) {
			continue
		}
		node := lab.Peer(host)
		restored := r.restoredBefore(node, ended.At)
		if restored == nil || r.stateAt(ended.At).Nodes[node].InSync {
			continue
		}
		had := window{restored.At, ended.At}
		starts := slices.DeleteFunc(slices.Clone(r.starts), func(s stall) bool { return s.what.Start != node })
		if took := stoodStill(slices.Concat(r.stalls, starts), []window{had}); 2*took >= had.to.Sub(had.from) {
			return fmt.Sprintf("%s could not run for %s of the %s between %s and %s, and had no table yet", node, short(took),
				short(had.to.Sub(had.from)), restored.Fault.What(), ended.Fault.What())
		}
	}
	return ""
}

// restoredBefore is the last fault that started a node again before an instant, nil if nothing did.
func (r *run) restoredBefore(node string, at clock.Instant) (last *trace.Event) {
	for i, e := range r.begun {
		if e.At <= at && e.Fault.Verb == fault.Restore && slices.Contains(e.Fault.Hosts, node) {
			last = &r.begun[i]
		}
	}
	return last
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
