package model

import (
	"fmt"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Verdict is what happens to a packet.
type Verdict uint8

const (
	Pass    Verdict = iota // it goes to the host's stack
	Forward                // it leaves on Outcome.Link
	Drop                   // it is dropped and counted
	Relay                  // it is sent to the peer on the link it came from
	Defer                  // it is held back until Release or Discard
)

func (v Verdict) String() string {
	switch v {
	case Pass:
		return "pass"
	case Forward:
		return "forward"
	case Drop:
		return "drop"
	case Relay:
		return "relay"
	case Defer:
		return "defer"
	}
	return fmt.Sprintf("verdict%d", uint8(v))
}

// Outcome is the result of a frame.
type Outcome struct {
	Verdict Verdict
	Reason  dataplane.Drop // for Drop
	Link    string         // for Forward: the egress link
	// Frame, for Forward, is the given frame rewritten in place, or an answer to it. A
	// translated packet keeps its Ethernet addresses; those of its neighbour are set at
	// egress.
	Frame []byte
	// NextHop is the backend of a packet of a direct flow; zero for any other. Without
	// encapsulation it is the packet's neighbour.
	NextHop flow.Addr
	// Deferred is the id of a reply that is held back, or that is released now.
	Deferred uint64
}

var pass = Outcome{Verdict: Pass}

// link is one of the two links.
type link struct {
	name    string
	mac     MAC
	peer    MAC         // the other load balancer's, zero if unknown
	answers AddressRole // the role of addresses answered for on this link
	turned  bool        // its packet was turned around
}

// Packet processes a frame that arrived on a link at now. It owns the frame.
func (d *Dataplane) Packet(now clock.Instant, linkName string, frame []byte) Outcome {
	d.now = now
	switch linkName {
	case d.cfg.ClientLink:
		return d.ingress(link{name: linkName, mac: d.host.ClientMAC, peer: d.host.PeerClientMAC, answers: AnswerClient}, frame, d.fromClient)
	case d.cfg.BackendLink:
		return d.ingress(link{name: linkName, mac: d.host.BackendMAC, peer: d.host.PeerBackendMAC, answers: AnswerBackend}, frame, d.fromBackend)
	}
	return pass
}

// ingress passes frames that a switch flooded for other hosts, and those that are neither
// ARP nor IP.
func (d *Dataplane) ingress(l link, frame []byte, ip func(l link, frame []byte, unicast bool) Outcome) Outcome {
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
		return ip(l, frame, unicast)
	case etherTypeIPv6:
		if !d.cfg.HasIPv6() {
			return pass
		}
		if isSolicitation(frame) {
			return d.solicitation(l, frame)
		}
		return ip(l, frame, unicast)
	}
	return pass
}

func (d *Dataplane) fromClient(l link, frame []byte, unicast bool) Outcome {
	p, ok := parseAddresses(frame)
	if !ok || d.roles[p.tuple.Dst]&Virtual == 0 {
		return pass
	}
	reason := d.parse(&p, unicast)
	if out, ended := d.ends(l, &p, reason); ended {
		return out
	}
	switch p.kind {
	case icmpError:
		return d.errorOfFlow(&p, d.conns[p.tuple], p.tuple, original)
	case fragment:
		return d.laterFragment(&p, original)
	}
	return d.originalDirection(l, &p)
}

// fromBackend handles replies, which go to the SNAT address or, in dnat mode, directly to
// the client. The latter are recognised by their tuple or, without an entry, by their
// sender.
func (d *Dataplane) fromBackend(l link, frame []byte, unicast bool) Outcome {
	p, ok := parseAddresses(frame)
	role := d.roles[p.tuple.Dst]
	if !ok {
		return pass
	}
	reason := d.parse(&p, unicast)
	switch {
	case role&Own != 0 && d.isAboutTunnel(&p):
		return d.drop(dataplane.DropTunnel)
	case role&Own != 0:
		return pass
	}
	originalTuple, isReply := d.replies[p.tuple]
	_, sent := d.dnatBackends.Find(p.tuple.Src, p.tuple.SrcPort, p.tuple.Proto)
	known := isReply || p.hasPorts && sent || p.kind == fragment && d.findDatagram(&p, reply) != nil
	if role&Virtual == 0 && !known {
		return pass
	}
	if out, ended := d.ends(l, &p, reason); ended {
		return out
	}
	switch p.kind {
	case icmpError:
		return d.errorOfFlow(&p, d.conns[originalTuple], originalTuple, reply)
	case fragment:
		return d.laterFragment(&p, reply)
	}
	if !isReply && d.isHairpin(&p) {
		return d.turnAround(&p)
	}
	return d.replyDirection(&p, originalTuple)
}

// ends handles packets that go no further than this node: those that are always dropped,
// those that are answered, and those that cannot be forwarded.
func (d *Dataplane) ends(l link, p *packet, reason dataplane.Drop) (Outcome, bool) {
	switch {
	case !d.leaseHolds() && !d.isRelayed(l, p):
		return d.relay(l, p), true
	case reason != noReason:
		return d.drop(reason), true
	case p.kind == icmpEcho:
		return d.answerEcho(l, p), true
	case p.ttl() == 0: // must not be sent
		return d.drop(dataplane.DropTTL), true
	case p.ttl() == 1:
		return d.refuse(l, p, dataplane.DropTTL, 0), true
	case len(p.frame) > ethLen+d.host.MTU:
		return d.refuse(l, p, dataplane.DropTooBig, d.host.MTU-d.overhead(l, p)), true
	}
	return Outcome{}, false
}

// serviceOf returns the service of an original tuple; nil if none is configured.
func (d *Dataplane) serviceOf(t flow.Tuple) *service { return d.configured[d.services.Of(&t)] }

func (d *Dataplane) originalDirection(l link, p *packet) Outcome {
	s := d.serviceOf(p.tuple)
	if s == nil {
		return d.drop(dataplane.DropNoService)
	}
	c := d.conns[p.tuple]
	follows := c != nil && !c.reopens(p)
	how, overhead := s.leaving(c, follows), s.Overhead()
	if follows {
		overhead = s.overhead(c)
	}
	if how == encapsulated && d.isTooBigInside(p, overhead) {
		return d.refuse(l, p, dataplane.DropTooBig, d.host.MTU-overhead)
	}
	if p.relayed && (!follows || c.moves(p, original)) {
		return d.drop(dataplane.DropRelayed)
	}
	if follows {
		d.track(c, p.tuple, p, original)
		return d.forward(p, c.reply.Reverse(), original, how)
	}
	if d.isNoClient(p.tuple.Src) || d.isBackend(p.tuple.Src) && !l.turned {
		return d.drop(dataplane.DropSource)
	}
	if s.Limits.SYNChallenge > 0 && c == nil && p.tuple.Proto == flow.TCP {
		switch {
		case p.flags&(rst|syn) == rst:
			return d.takeAnswer(p, s)
		case len(s.Backends) > 0 && p.isFreshSYN() && d.mustAnswer(p, s):
			return d.challenge(l, p, s)
		}
	}
	c, reason := d.open(p, s, c)
	if reason != noReason {
		d.countRefused(s, reason)
	}
	switch {
	case reason == dataplane.DropNoBackend:
		return d.turnAway(l, p, s)
	case reason != noReason:
		return d.drop(reason)
	}
	return d.forward(p, c.reply.Reverse(), original, how)
}

func (d *Dataplane) replyDirection(p *packet, originalTuple flow.Tuple) Outcome {
	c := d.conns[originalTuple]
	if c == nil {
		return d.drop(dataplane.DropMiss)
	}
	if d.serviceOf(originalTuple) == nil {
		return d.drop(dataplane.DropNoService)
	}
	if d.isUnearned(c, p) {
		return d.drop(dataplane.DropUnconfirmed)
	}
	if p.relayed && c.moves(p, reply) {
		return d.drop(dataplane.DropRelayed)
	}
	if d.cfg.Defer && c.tellsClient(p) && !d.isBackend(originalTuple.Src) {
		return d.deferReply(c, originalTuple, p)
	}
	if c.meetsOldConnection(p) {
		d.skipTurn(&c.reply)
	}
	d.track(c, originalTuple, p, reply)
	return d.forward(p, originalTuple.Reverse(), reply, translated)
}

func (d *Dataplane) forward(p *packet, to flow.Tuple, dir direction, how leaving) Outcome {
	if p.more {
		if reason := d.rememberDatagram(p, to, dir, how); reason != noReason {
			return d.drop(reason)
		}
		d.counters.Fragments++
	}
	if how != translated {
		return d.passDirect(p, to.Dst, how)
	}
	p.translate(to)
	return d.leave(p, to.Dst, dir)
}

func (d *Dataplane) leave(p *packet, dst flow.Addr, dir direction) Outcome {
	d.counters.Forwarded[dir]++
	d.counters.Bytes[dir] += uint64(len(p.frame))
	return Outcome{Verdict: Forward, Link: d.linkTo(dst, dir), Frame: p.frame}
}

// isNoClient reports whether a source is not a single other host: its packet opens no flow and gets no
// answer (RFC 1122 3.2.1.3, 1812 4.3.2.7).
func (d *Dataplane) isNoClient(src flow.Addr) bool {
	return d.roles[src]&(Virtual|Own|Broadcast) != 0
}

func (d *Dataplane) leaseHolds() bool { return d.now.Before(d.lease) }

func (d *Dataplane) drop(reason dataplane.Drop) Outcome {
	d.counters.Dropped[reason]++
	return Outcome{Verdict: Drop, Reason: reason}
}
