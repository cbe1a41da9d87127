package check

import (
	"baton/impl/clock"
	"baton/impl/trace"
)

// unseated is the time without the MASTER that a stall cost its role.
type unseated struct {
	window
	node  string
	stall stall
}

// unseated finds each MASTER that became BACKUP in a stall of the host or up to one detection time
// after it. It counts from then until a node is MASTER again, and two detection times longer, in which clients
// notice. A stall shorter than half a detection time ends no lease: the MASTER has sent heartbeats since.
func (r *run) unseated() (found []unseated) {
	detect := r.plan.Detect(r.meta.World)
	for i, e := range r.roles {
		if e.Role.From != "Master" || e.Role.To != "Backup" {
			continue
		}
		for _, s := range r.stalls {
			if s.took < detect/2 || !(window{s.from, s.to.Add(detect)}).has(e.At) {
				continue
			}
			found = append(found, unseated{window{e.At, nextMaster(r.roles[i:], r.to).Add(2 * detect)}, e.Node, s})
			break
		}
	}
	return found
}

// nextMaster is when a node next becomes MASTER, or else the end.
func nextMaster(roles []trace.Event, end clock.Instant) clock.Instant {
	for _, e := range roles {
		if e.Role.To == "Master" {
			return e.At
		}
	}
	return end
}
