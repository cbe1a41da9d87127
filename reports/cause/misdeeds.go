package cause

import (
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/capability"
	"baton/scenarios/check"
	"baton/scenarios/lab"
)

// died finds nodes whose process ended by itself.
func died(events []trace.Event) (list []misdeed) {
	for _, e := range events {
		if e.Died != nil {
			why, _, _ := strings.Cut(e.Died.Why, " at ")
			m := at(e, "%s ended by itself (%s)", e.Node, why)
			m.lasting = true
			list = append(list, m)
		}
	}
	return list
}

// ungated finds claims without their gates, if the subject reports its gates.
func ungated(events []trace.Event) (list []misdeed) {
	if lacks(events, capability.Gates) {
		return nil
	}
	for _, c := range check.Claims(events) {
		if c.Unmet != "" {
			list = append(list, misdeed{Cause: Cause{c.At, c.Node, c.Node + " claimed the role " + c.Unmet}})
		}
	}
	return list
}

// lacks reports whether the subject declares that it lacks a capability.
func lacks(events []trace.Event, word string) bool {
	return len(events) > 0 && events[0].Meta != nil && slices.Contains(events[0].Meta.Lacks, word)
}

// woken is the time after a thaw within which a node cannot have heard its peer yet.
const woken = 50 * time.Millisecond

// seized finds claims while the other node is MASTER and alive. The claimant knew of the MASTER, or
// had just been thawed and had not heard it yet.
func seized(events []trace.Event) (list []misdeed) {
	p := newPair()
	for _, e := range events {
		if peer := p.peerOf(e.Node); claims(e) && peer != nil && peer.role == "Master" && peer.alive {
			n := p.node(e.Node)
			gate := n.gates["NoMaster"]
			switch {
			case gate.Open && gate.Why == "peer is Master":
				list = append(list, at(e, "%s claimed the role while %s was MASTER, its gate NoMaster open (%s)", e.Node, peer.name, gate.Why))
			case n.thawed > 0 && e.At.Sub(n.thawed) < woken:
				list = append(list, at(e, "%s claimed the role as soon as it was thawed while %s was MASTER, its gate NoMaster open (%s)", e.Node, peer.name, gate.Why))
			}
		}
		p.apply(e)
	}
	return list
}

// beside finds nodes of a subject without gates that became MASTER while the other was MASTER. The
// other must stay MASTER for readLate, because its role may be polled late.
func beside(events []trace.Event) (list []misdeed) {
	if !lacks(events, capability.Gates) {
		return nil
	}
	p := newPair()
	for i, e := range events {
		if peer := p.peerOf(e.Node); e.Role != nil && e.Role.To == "Master" && e.Role.From != "Master" && peer != nil && peer.role == "Master" && peer.alive && staysMaster(events[i:], peer.name) {
			list = append(list, at(e, "%s became MASTER (%s) while %s was MASTER (%s)", e.Node, e.Role.Reason, peer.name, peer.reason))
		}
		p.apply(e)
	}
	return list
}

// readLate is longer than the delay of a polled role.
const readLate = 100 * time.Millisecond

// staysMaster reports whether a MASTER keeps its role for readLate after the first event.
func staysMaster(events []trace.Event, node string) bool {
	for _, e := range events {
		if e.At > events[0].At.Add(readLate) {
			break
		}
		if e.Node == node && e.Role != nil && e.Role.From == "Master" {
			return false
		}
	}
	return true
}

func claims(e trace.Event) bool {
	return e.Role != nil && e.Role.From == "Backup" && e.Role.To == "Claiming"
}

// outlived finds nodes that were still MASTER after their lease had ended, although they ran: they renewed it,
// or they gave up the role later. A lease that is written with an end in the past ends when it is written.
func outlived(events []trace.Event) (list []misdeed) {
	p := newPair()
	for _, e := range events {
		switch n := p.node(e.Node); {
		case n.role != "Master" || n.lease == 0 || n.lease > e.At: // also an event of no node
		case e.Lease != nil && e.Lease.Until > e.At:
			list = append(list, at(e, "%s renewed its lease after it had ended, and stayed MASTER", n.name))
		case e.Role != nil && e.Role.From == "Master" && e.Role.To != "Master" && e.At.Sub(max(n.lease, n.leased, n.thawed)) > grace && !n.starved:
			list = append(list, at(e, "%s stayed MASTER after its lease had ended", n.name))
		}
		p.apply(e)
	}
	return list
}

// keptLease finds nodes that gave up the role but still hold a lease when their peer becomes MASTER.
func keptLease(events []trace.Event) (list []misdeed) {
	p := newPair()
	for _, e := range events {
		p.apply(e)
		if e.Role == nil || e.Role.To != "Master" || e.Role.From == "Yielding" {
			continue
		}
		peer := p.peerOf(e.Node)
		if peer != nil && peer.alive && peer.role == "Backup" && peer.served && peer.lease > e.At {
			m := at(e, "%s gave up the role and kept its lease while %s became MASTER", peer.name, e.Node)
			m.Node = peer.name
			list = append(list, m)
		}
	}
	return list
}

// sameEpoch finds a MASTER that did not raise the epoch that it knew. Two MASTERs that do not hear
// each other may have the same epoch.
func sameEpoch(events []trace.Event) (list []misdeed) {
	p := newPair()
	known := map[string]uint32{} // epoch by node
	for _, e := range events {
		if f := e.Fault; f != nil && (f.Verb == "crash" || f.Verb == "kill" || f.Verb == "stop") {
			for _, host := range f.Hosts {
				delete(known, host)
			}
		}
		if e.Role != nil && e.Role.To == "Master" && e.Role.From == "Claiming" {
			peer := p.peerOf(e.Node)
			alone := peer == nil || !peer.alive || peer.role != "Master"
			if epoch, ok := known[e.Node]; ok && alone && e.Role.Epoch <= epoch {
				m := at(e, "%s became MASTER without raising its epoch", e.Node)
				m.lasting = true
				list = append(list, m)
			}
			known[e.Node] = e.Role.Epoch
			if peer != nil && peer.alive && alone && !p.unheard(e.Node, peer.name) {
				known[peer.name] = e.Role.Epoch
			}
		}
		p.apply(e)
	}
	return list
}

// unheard reports whether something that a node sends to another is cut.
func (p *pair) unheard(from, to string) bool {
	return slices.ContainsFunc(p.cuts, func(d trace.Direction) bool { return d.From == from && d.To == to })
}

// adopted finds established flows that a MASTER without their entries adopted and sent to the wrong
// backend, which reset them.
func adopted(events []trace.Event) (list []misdeed) {
	for _, e := range events {
		r := e.RST
		if r == nil || r.Entry != "adopted" || r.LB == "" || r.Origin == r.LB || lab.IsNode(r.Origin) || r.Edge != lab.Backends {
			continue
		}
		m := at(e, "%s had no entries for established flows and adopted them, and their segments met a backend that does not know them", r.LB)
		m.Node = r.LB
		list = append(list, m)
	}
	return list
}

// sharedPort finds flows that got the SNAT port of another flow. The backend takes the new flow's SYN
// for a segment of the old connection and answers with an ACK of that. The client resets it, and
// the new flow opens once the RST has ended the old connection.
func sharedPort(events []trace.Event) (list []misdeed) {
	resets := map[string]misdeed{} // by the client's tuple, of flows that have not opened
	for _, e := range events {
		switch {
		case e.RST != nil && e.RST.Edge == lab.Clients && e.RST.Sender == e.RST.Origin && e.RST.LB != e.RST.Origin && e.RST.Entry == "opened":
			m := at(e, "%s gave a new flow the SNAT port of another one: the backend answered its SYN with an ACK of that connection", e.RST.LB)
			m.Node, m.lasting = e.RST.LB, true
			resets[e.RST.Flow] = m
		case e.Traffic != nil && e.Traffic.Event == trace.TrafficOpened:
			if m, ok := resets[e.Traffic.Tuple]; ok {
				list = append(list, m)
			}
		}
	}
	return list
}

// A MASTER sends its first announcement within announced and at least two within enough.
const (
	announced = 200 * time.Millisecond
	enough    = time.Second
)

// unannounced finds a MASTER that announces itself too rarely: less than twice after it became MASTER, only by
// its own report, or not at all after the other of two MASTERs gave up the role.
func unannounced(events []trace.Event) (list []misdeed) {
	if len(events) == 0 || !slices.ContainsFunc(events, func(e trace.Event) bool { return e.Announce != nil }) && (events[0].Meta == nil || lacks(events, capability.Lease)) {
		return nil // the subject does not report its announcements
	}
	for i, e := range events {
		if e.Role == nil || e.Role.From == e.Role.To {
			continue
		}
		switch {
		case e.Role.To == "Master":
			if n, long := announcements(events[i:], e.Node, enough); long && n < 2 {
				m := at(e, "%s became MASTER and announced itself %s", e.Node, map[int]string{0: "not at all", 1: "only once"}[n])
				m.prolongs = true
				list = append(list, m)
			} else if long && unsent(events, i) {
				m := at(e, "%s became MASTER and reported %d announcements, but none of them came to the network of the clients", e.Node, n)
				m.prolongs = true
				list = append(list, m)
			}
		case e.Role.From == "Master" && strings.Contains(e.Role.Reason, "MASTER"):
			other, since := masterBeside(events[:i], e.Node)
			if n, long := announcements(events[i:], other, announced); other != "" && since < e.At && long && n == 0 {
				m := at(e, "%s stayed MASTER when %s gave up the role, and did not announce itself again", other, e.Node)
				m.Node, m.prolongs = other, true
				list = append(list, m)
			}
		}
	}
	return list
}

// unsent reports whether the clients' network, which is captured, saw no announcement of a node within enough
// after the event by which it became MASTER, although no fault on a link can have dropped it.
func unsent(events []trace.Event, since int) bool {
	node, end, captured := events[since].Node, events[since].At.Add(enough), false
	for i, e := range events {
		switch {
		case e.At > end:
			return captured
		case e.Fault != nil && len(e.Fault.Directions) > 0:
			return false
		case e.GARP != nil && e.GARP.Edge == lab.Clients && e.Node == node && i > since:
			return false
		}
		captured = captured || e.GARP != nil || e.Forwarder != nil
	}
	return captured
}

// announcements counts the announcements of a node within a time after the first event. long
// reports whether the node lived and kept its role for that time.
func announcements(events []trace.Event, node string, within time.Duration) (n int, long bool) {
	start := events[0].At
	for i, e := range events {
		if e.At > start.Add(within) {
			return n, true
		}
		switch {
		case e.Node == node && e.Announce != nil:
			n++
		case i > 0 && e.Node == node && e.Role != nil && e.Role.From != e.Role.To, e.Node == node && e.Died != nil,
			e.Fault != nil && len(e.Fault.Hosts) > 0 && e.Fault.Hosts[0] == node:
			return n, false
		}
	}
	return n, false
}

// masterBeside returns the other node and when it became MASTER, if it is MASTER after the events.
func masterBeside(events []trace.Event, node string) (other string, since clock.Instant) {
	for _, e := range events {
		if e.Role == nil || e.Node == node || e.Role.From == e.Role.To {
			continue
		}
		if other = ""; e.Role.To == "Master" {
			other, since = e.Node, e.At
		}
	}
	return other, since
}

// late is the tolerated multiple of the detection time between a fault and its detection.
const late = 1.3

// detectedLate finds a BFD session that stayed Up for longer than its detection time.
func detectedLate(events []trace.Event) (list []misdeed) {
	var fault trace.Event // the last that ended a node
	for _, e := range events {
		if e.Fault != nil && e.Fault.Phase == "begin" {
			fault = e
		}
		b := e.BFD
		if b == nil || b.From != "Up" || b.To != "Down" || b.Diag != "Control Detection Time Expired" || fault.Fault == nil || b.Detect <= 0 {
			continue
		}
		switch fault.Fault.Verb {
		case "crash", "kill", "freeze":
			if took := e.At.Sub(fault.At); took > time.Duration(float64(b.Detect)*late) {
				list = append(list, at(e, "%s noticed the fault (%s) later than its BFD detection time allows", e.Node, fault.Fault.What()))
			}
		}
	}
	return list
}

// keptTable finds a node that has flows after its crash before it has a sync stream: the crash did
// not clear its table.
func keptTable(events []trace.Event) (list []misdeed) {
	crashed := map[string]bool{}
	for _, e := range events {
		switch {
		case e.Fault != nil && e.Fault.Verb == "crash" && e.Fault.Phase == "receipt":
			for _, host := range e.Fault.Hosts {
				crashed[host] = true
			}
		case e.Sync != nil && crashed[e.Node] && e.Sync.Phase != "idle":
			delete(crashed, e.Node) // it has a stream
		case e.Sync != nil && crashed[e.Node] && e.Sync.Entries > 0:
			list = append(list, at(e, "%s came back from its crash with its old table: the crash did not clear it", e.Node))
			delete(crashed, e.Node)
		}
	}
	return list
}
