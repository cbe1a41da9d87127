package model

import (
	"fmt"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Verdict is a packet's fate.
type Verdict uint8

const (
	Pass    Verdict = iota // it is the host's
	Forward                // it leaves by Outcome.Link
	Drop                   // it is gone, and counted
)

func (v Verdict) String() string {
	switch v {
	case Pass:
		return "pass"
	case Forward:
		return "forward"
	case Drop:
		return "drop"
	}
	return fmt.Sprintf("verdict%d", uint8(v))
}

// Outcome is what becomes of a frame.
type Outcome struct {
	Verdict Verdict
	Reason  dataplane.Drop // of Drop
	Link    string         // of Forward: where it leaves
	// Frame, of Forward, is the frame that was given, rewritten in place. Of a
	// translated packet the Ethernet addresses are as they came: the kernel's
	// neighbour table sets them.
	Frame []byte
}

var pass = Outcome{Verdict: Pass}

// link is one of the two links.
type link struct {
	name    string
	mac     MAC
	answers Meaning // of the addresses for which ARP is answered on it
}

// Packet takes a frame that arrived on a link at now. It owns the frame.
func (d *Dataplane) Packet(now clock.Instant, linkName string, frame []byte) Outcome {
	d.now = now
	switch linkName {
	case d.cfg.ClientLink:
		return d.ingress(link{linkName, d.host.ClientMAC, ARPClient}, frame, d.fromClient)
	case d.cfg.BackendLink:
		return d.ingress(link{linkName, d.host.BackendMAC, ARPBackend}, frame, d.fromBackend)
	}
	return pass
}

// ingress passes on what a switch flooded for somebody else, and what is neither
// ARP nor IPv4.
func (d *Dataplane) ingress(l link, frame []byte, ipv4 func(frame []byte, unicast bool) Outcome) Outcome {
	if len(frame) < ethLen {
		return pass
	}
	destination := MAC(frame[0:6])
	unicast, group := destination == l.mac, destination[0]&1 != 0
	if !unicast && !group {
		return pass
	}
	switch be16(frame[12:]) {
	case etherTypeARP:
		return d.arp(l, frame)
	case etherTypeIPv4:
		return ipv4(frame, unicast)
	}
	return pass
}

func (d *Dataplane) fromClient(frame []byte, unicast bool) Outcome {
	p, ok := parseAddresses(frame)
	if !ok || d.meanings[p.tuple.Dst]&Virtual == 0 {
		return pass
	}
	if !d.leaseHolds() {
		return d.drop(dataplane.DropNoLease)
	}
	reason := p.parseTransport()
	if !unicast {
		reason = dataplane.DropMalformed
	}
	if reason != noReason {
		return d.drop(reason)
	}
	return d.originalDirection(&p)
}

// fromBackend takes replies, which come to the SNAT address or, in dnat mode,
// straight to the client. The latter are known by their tuple or, without an
// entry, by their sender.
func (d *Dataplane) fromBackend(frame []byte, unicast bool) Outcome {
	p, ok := parseAddresses(frame)
	meaning := d.meanings[p.tuple.Dst]
	if !ok || meaning&Own != 0 {
		return pass
	}
	reason := p.parseTransport()
	originalTuple, known := d.replies[p.tuple]
	sender := flow.Service{VIP: p.tuple.Src, Port: p.tuple.SrcPort, Proto: p.tuple.Proto}
	if meaning&Virtual == 0 && !known && !(p.hasPorts && d.dnatBackends[sender]) {
		return pass
	}
	if !d.leaseHolds() {
		return d.drop(dataplane.DropNoLease)
	}
	if !unicast {
		reason = dataplane.DropMalformed
	}
	if reason != noReason {
		return d.drop(reason)
	}
	return d.replyDirection(&p, originalTuple)
}

func serviceOf(t flow.Tuple) flow.Service {
	return flow.Service{VIP: t.Dst, Port: t.DstPort, Proto: t.Proto}
}

func (d *Dataplane) originalDirection(p *packet) Outcome {
	s := d.configured[serviceOf(p.tuple)]
	if s == nil {
		return d.drop(dataplane.DropNoService)
	}
	c := d.conns[p.tuple]
	if c != nil && !c.reopens(p) {
		d.track(c, p.tuple, p, original)
	} else {
		opened, reason := d.open(p, s, c)
		if reason != noReason {
			return d.drop(reason)
		}
		c = opened
	}
	return d.forward(p, c.reply.Reverse(), original)
}

func (d *Dataplane) replyDirection(p *packet, originalTuple flow.Tuple) Outcome {
	c := d.conns[originalTuple]
	if c == nil {
		return d.drop(dataplane.DropMiss)
	}
	if d.configured[serviceOf(originalTuple)] == nil {
		return d.drop(dataplane.DropNoService)
	}
	d.track(c, originalTuple, p, reply)
	return d.forward(p, originalTuple.Reverse(), reply)
}

func (d *Dataplane) forward(p *packet, to flow.Tuple, dir direction) Outcome {
	p.translate(to)
	d.counters.Forwarded[dir]++
	d.counters.Bytes[dir] += uint64(len(p.frame))
	out := d.cfg.BackendLink
	if dir == reply {
		out = d.cfg.ClientLink
	}
	return Outcome{Verdict: Forward, Link: out, Frame: p.frame}
}

func (d *Dataplane) leaseHolds() bool { return d.now.Before(d.lease) }

func (d *Dataplane) drop(reason dataplane.Drop) Outcome {
	d.counters.Dropped[reason]++
	return Outcome{Verdict: Drop, Reason: reason}
}
