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
// captured: a packet that the eBPF program passed in time crosses queues first.
const leaseSlack = 20 * time.Millisecond

// crossing is the longest time from the eBPF program that passes a packet, over two queues,
// to the switch where it is captured, if no fault delays it.
const crossing = time.Millisecond

// forwarders samples how many nodes could forward in each stretch of the window, by their
// leases and by the captured frames. If the frames contradict the leases, the sample is two.
func (r *run) forwarders(w window) []sample {
	samples := r.overlap(r.leases, w, "allowed to forward by its lease")
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

// carriers samples the forwarders of a subject that reports no leases: one, since the captured
// frames show one carrier of a VIP's packets at a time. Intrusions are added by forwarders.
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

// findLeases lists the stretches in which nodes were allowed to forward. A lease begins when
// it is written, and lasts until its expiry, unless it is renewed in time, or the next write.
func (r *run) findLeases() []tenure {
	return r.granted(func(e trace.Event, has window) window {
		switch until := e.Lease.Until; {
		case until <= e.At:
			return window{}
		case has.to >= e.At:
			return window{has.from, until}
		default:
			return window{e.At, until}
		}
	})
}

// findRelays lists the stretches in which nodes without a lease relayed packets to their peer. A
// stretch ends when the node forwards again.
func (r *run) findRelays() []tenure {
	return r.granted(func(e trace.Event, has window) window {
		switch l := e.Lease; {
		case l.Until > e.At:
			return window{}
		case l.Relay > e.At:
			return window{e.At, l.Relay}
		}
		return has
	})
}

// granted lists, by time, the stretches in which the programs of a node had a permission: to forward or to
// relay. next maps the node's current stretch and a lease event to its new stretch: the same, a
// prolonged or another one, or none. A stretch also ends when the node crashes, or when its process
// ends and the programs are not pinned. A frozen node writes no leases, so its stretch lasts until
// the expiry.
func (r *run) granted(next func(e trace.Event, has window) window) []tenure {
	var found []tenure
	held := map[string]window{}
	end := func(node string, at clock.Instant) {
		if w, ok := held[node]; ok {
			found = append(found, tenure{window{w.from, min(w.to, at)}, node})
			delete(held, node)
		}
	}
	for _, e := range r.events {
		switch {
		case e.Lease != nil:
			has := held[e.Node]
			now := next(e, has)
			if now == (window{}) || now.from != has.from {
				end(e.Node, e.At)
			}
			if now != (window{}) {
				held[e.Node] = now
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
	slices.SortFunc(found, byTime)
	return found
}

// relayed reports whether a packet captured at an instant may have been relayed to the node by its
// peer during a handover.
func (r *run) relayed(node string, at clock.Instant, underway time.Duration) bool {
	return slices.ContainsFunc(r.relays, func(t tenure) bool {
		return t.node == lab.Peer(node) && t.from <= at && at <= t.to.Add(underway)
	})
}

// intrusion is a captured packet of a node that was not allowed to forward it.
type intrusion struct {
	window
	what string
}

// intrusions lists the captured packets that a node was not allowed to forward. A node that lost a
// VIP's packets to its peer may carry them again only after it has become Master again, and under
// its own lease, or while the peer relays packets to it during a handover. Packets in flight at the
// peer's takeover arrive after it, so a packet proves nothing until the longest time in flight has
// passed, including the plan's delays.
func (r *run) intrusions() []intrusion {
	var found []intrusion
	displaced := map[string]displacement{} // by place and node: since when the peer carries its packets
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
			transit := r.plan.Transit(r.meta.World, f.Edge, f.From)
			if late := r.overrun(f.From, f.Last, transit); late != "" && !r.relayed(f.From, f.Last, crossing+transit) {
				add(f.Last, "%s still carried %s at %s; %s", f.From, place, r.at(f.Last), late)
			}
		}
		if f.From == e.Node {
			continue // the end of the capture, no change
		}
		lost, was := displaced[place+e.Node]
		underway := crossing + r.plan.Transit(r.meta.World, f.Edge, e.Node)
		late := r.overrun(e.Node, e.At, underway)
		if was && late == "" && e.At <= lost.seen.Add(underway) {
			continue // sent before the peer took over
		}
		switch {
		case r.relayed(e.Node, e.At, underway):
		case was && !r.claimed(e.Node, lost.sent, e.At):
			add(e.At, "%s carries %s again at %s; it lost them to %s at %s and has not become Master since",
				e.Node, place, r.at(e.At), f.From, r.at(lost.seen))
		case r.silentCarrier(e.Node, e.At, leaseSlack+underway):
			add(e.At, "%s carries %s at %s, but has not reported that it is Master", e.Node, place, r.at(e.At))
		case late != "":
			add(e.At, "%s carries %s at %s; %s", e.Node, place, r.at(e.At), late)
		}
		if _, before := displaced[place+f.From]; !before { // a late packet does not end the displacement
			displaced[place+f.From] = displacement{seen: e.At, sent: e.At.Add(-underway)}
		}
		delete(displaced, place+e.Node)
	}
	return found
}

// silentCarrier reports whether a node that reports its role but no lease carried packets at
// an instant and was not Master within slack of it.
func (r *run) silentCarrier(node string, at clock.Instant, slack time.Duration) bool {
	if !r.tells(capability.Roles) || r.tells(capability.Lease) {
		return false
	}
	_, to, master := r.tenureOf(node, at.Add(slack))
	return !master || to < at.Add(-slack)
}

// displacement is when the peer was first seen to carry a node's packets, and the earliest time at
// which that packet can have been sent. A later claim of the node ends it.
type displacement struct{ seen, sent clock.Instant }

// claimed reports whether the node claimed the role or became Master between from and to. A
// polled role counts if it may have changed in that time.
func (r *run) claimed(node string, from, to clock.Instant) bool {
	return slices.ContainsFunc(r.roles, func(e trace.Event) bool {
		return e.Node == node && e.At >= from && e.At.Add(-time.Duration(e.Role.Late)) <= to &&
			(e.Role.To == roleMaster || e.Role.To == roleClaiming)
	})
}

// overrun says that a packet captured at t was sent after the end of the node's last lease, even if
// it was in flight for the given time, or that the node had no lease yet; "" if its lease covers the
// packet. Of a subject that reports no leases only the roles count.
func (r *run) overrun(node string, t clock.Instant, underway time.Duration) string {
	if !r.tells(capability.Lease) {
		return ""
	}
	var last clock.Instant
	for _, l := range r.leases {
		if l.node == node && l.from <= t {
			last = max(last, l.to)
		}
	}
	switch {
	case last == 0:
		return "it had no lease yet"
	case t > last.Add(leaseSlack+underway):
		return "its lease ended at " + r.at(last)
	}
	return ""
}
