package check

import (
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/capability"
	"baton/scenarios/lab"
)

// leaseSlack is how long after the end of its lease a node's frames may still be
// seen: what the program let through in time has to cross queues to the capture.
const leaseSlack = 20 * time.Millisecond

// crossing is how long a packet is under way at most where nothing delays it: from the
// program that let it through over two queues to the switch that is listened at.
const crossing = time.Millisecond

// forwarders samples how many nodes could forward, over the stretches of the
// window: by their leases, and by what the wire shows. Where the wire contradicts
// the leases the sample counts two.
func (r *run) forwarders(w window) []sample {
	tenures := r.leases
	tenures = slices.DeleteFunc(slices.Clone(tenures), func(t tenure) bool { return t.to == t.from }) // given back at once
	slices.SortFunc(tenures, byTime)
	samples := r.overlap(tenures, w, "allowed to forward by its lease")
	if !r.tells(capability.Lease) {
		samples = r.carriers(w)
	}
	for _, v := range r.intrusions() {
		if w.has(v.from) {
			samples = append(samples, sample{window: v.window, value: 2, what: v.what})
		}
	}
	return samples
}

// carriers is what the wire alone shows: one node at a time carries a VIP's packets,
// unless there are intrusions.
func (r *run) carriers(w window) []sample {
	var carried []string
	for _, e := range r.others {
		if e.Forwarder != nil && w.has(e.At) && e.Forwarder.From != e.Node {
			carried = append(carried, fmt.Sprintf("%s from %s at the %s edge", e.Node, r.at(e.At), e.Forwarder.Edge))
		}
	}
	if len(carried) == 0 {
		return nil
	}
	return one(w, 1, "as seen on the wire: "+some(carried, shown))
}

// findLeases lists the stretches in which nodes were allowed to forward. A lease
// begins when it is written and ends at its expiry, or at the next write, or with
// the links of a crashed node, or with a process whose programs are not pinned. A node that is killed or frozen cannot write; the
// dataplane lets it forward to the expiry, which is what the lease is for.
func (r *run) findLeases() []tenure {
	var found []tenure
	held := map[string]window{}
	end := func(node string, at clock.Instant) {
		if l, ok := held[node]; ok {
			l.to = min(l.to, at)
			if l.to >= l.from {
				found = append(found, tenure{l, node})
			}
			delete(held, node)
		}
	}
	for _, e := range r.events {
		switch {
		case e.Lease != nil:
			if l, ok := held[e.Node]; ok && l.to >= e.At && e.Lease.Until > e.At {
				held[e.Node] = window{l.from, e.Lease.Until} // renewed in time
				continue
			}
			end(e.Node, e.At)
			if e.Lease.Until > e.At {
				held[e.Node] = window{e.At, e.Lease.Until}
			}
		case e.Fault != nil && e.Fault.Phase == "receipt":
			for _, node := range e.Fault.Hosts {
				if r.plan.EndsLease(r.meta.World, node, e.Fault.Verb) {
					end(node, e.At)
				}
			}
		}
	}
	for _, node := range lab.Nodes() {
		end(node, clock.Never)
	}
	return found
}

// intrusion is a node that forwarded when it must not have, as the wire shows.
type intrusion struct {
	window
	what string
}

// intrusions reads the captured changes of forwarder. A node that lost a VIP's
// packets to the other may carry them again only after it became Master anew, and
// what it carries must be covered by a lease of its own. Packets that were under way
// when the other took over arrive after that: they prove nothing of the node for as
// long as a packet can be under way, which is longer where the plan delays packets.
func (r *run) intrusions() []intrusion {
	var found []intrusion
	displaced := map[string]displacement{} // place and node: since when another carries its packets
	leases := r.leases
	add := func(at clock.Instant, format string, args ...any) {
		found = append(found, intrusion{point(at), fmt.Sprintf(format, args...)})
	}
	for _, e := range r.others {
		f := e.Forwarder
		if f == nil {
			continue
		}
		place := fmt.Sprintf("the packets of %s at the %s edge", orElse(f.VIP, "the VIP"), f.Edge)
		if f.From != "" {
			if until, late := overrun(leases, f.From, f.Last, r.plan.Transit(r.meta.World, f.Edge, f.From)); late {
				add(f.Last, "%s carried %s still at %s, its lease having ended at %s", f.From, place, r.at(f.Last), r.at(until))
			}
		}
		if f.From == e.Node {
			continue // the end of the capture, no change
		}
		lost, was := displaced[place+e.Node]
		underway := crossing + r.plan.Transit(r.meta.World, f.Edge, e.Node)
		until, late := overrun(leases, e.Node, e.At, underway)
		if was && !late && e.At <= lost.seen.Add(underway) {
			continue // sent before it lost them
		}
		switch {
		case was && !r.claimed(e.Node, lost.sent, e.At):
			add(e.At, "%s carries %s again at %s, having lost them to %s at %s, without having become Master anew",
				e.Node, place, r.at(e.At), f.From, r.at(lost.seen))
		case r.silentCarrier(e.Node, e.At, leaseSlack+underway):
			add(e.At, "%s carries %s at %s, and has not said that it is Master", e.Node, place, r.at(e.At))
		case late:
			add(e.At, "%s carries %s at %s, its lease having ended at %s", e.Node, place, r.at(e.At), r.at(until))
		}
		if _, before := displaced[place+f.From]; !before { // stragglers give it nothing back
			displaced[place+f.From] = displacement{seen: e.At, sent: e.At.Add(-underway)}
		}
		delete(displaced, place+e.Node)
	}
	return found
}

// silentCarrier reports whether a node that tells its role, and no lease, was not Master
// within the slack of an instant at which it carried packets: its word and the wire
// contradict each other.
func (r *run) silentCarrier(node string, at clock.Instant, slack time.Duration) bool {
	if !r.tells(capability.Roles) || r.tells(capability.Lease) {
		return false
	}
	_, to, master := r.tenureOf(node, at.Add(slack))
	return !master || to < at.Add(-slack)
}

// displacement is when another node was first seen to carry what a node had carried, and
// when at the earliest that packet was sent: a claim since then gives it back.
type displacement struct{ seen, sent clock.Instant }

// claimed reports whether the node claimed the role, or became Master, in between, or may
// have, where the role is polled.
func (r *run) claimed(node string, from, to clock.Instant) bool {
	return slices.ContainsFunc(r.roles, func(e trace.Event) bool {
		return e.Node == node && e.At >= from && e.At.Add(-time.Duration(e.Role.Late)) <= to &&
			(e.Role.To == roleMaster || e.Role.To == roleClaiming)
	})
}

// overrun reports whether the node's last lease before t had ended by then, and
// when, even if what was seen then had been under way for so long. A node that never
// wrote a lease is judged by its role alone.
func overrun(leases []tenure, node string, t clock.Instant, underway time.Duration) (clock.Instant, bool) {
	var last clock.Instant
	known := false
	for _, l := range leases {
		if l.node == node && l.from <= t {
			known = true
			last = max(last, l.to)
		}
	}
	return last, known && t > last.Add(leaseSlack+underway)
}
