package model

import (
	"encoding/binary"
	"slices"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// icmp is ICMP's protocol number (RFC 792).
const icmp flow.Proto = 1

// Message types and codes (RFC 792, 1191).
const (
	icmpLen = 8

	echoReply           = 0
	unreachable         = 3
	portUnreachable     = 3 // a code of unreachable
	fragmentationNeeded = 4 // likewise
	echoRequest         = 8
	timeExceeded        = 11
	parameterProblem    = 12

	defaultTTL = 64
	tcpQuoted  = 20 // bytes of a TCP segment in an error; of UDP RFC 792's eight
	udpQuoted  = 8
)

func (p *packet) parseICMP(message []byte, dropEcho bool) dataplane.Drop {
	if len(message) < icmpLen {
		return dataplane.DropMalformed
	}
	switch message[0] {
	case echoRequest:
		p.kind = icmpEcho
		if dropEcho {
			return dataplane.DropICMP
		}
		return noReason
	case unreachable, timeExceeded, parameterProblem:
		p.kind = icmpError
		return p.parseError(message[icmpLen:])
	}
	return dataplane.DropICMP
}

// parseError parses the packet that an error quotes. The error goes to the sender of that
// packet.
func (p *packet) parseError(inner []byte) dataplane.Drop {
	if len(inner) < ipMinLen || inner[0]>>4 != 4 {
		return dataplane.DropMalformed
	}
	headerLen := int(inner[0]&0xf) * 4
	if headerLen < ipMinLen || len(inner) < headerLen+udpQuoted {
		return dataplane.DropMalformed
	}
	proto := flow.Proto(inner[9])
	if ipv4At(inner[12:]) != p.tuple.Dst || be16(inner[6:])&fragmentOffset != 0 || !proto.Balanced() {
		return dataplane.DropICMP
	}
	p.tuple.Src, p.tuple.Proto = ipv4At(inner[16:]), proto
	return p.quoted(p.l4 + icmpLen + headerLen)
}

// quoted parses the segment that an error quotes.
func (p *packet) quoted(at int) dataplane.Drop {
	l4 := p.frame[at:]
	if be16(l4[2:]) == 0 { // port 0 is reserved for affinities
		return dataplane.DropMalformed
	}
	p.innerL4 = at
	p.tuple.SrcPort, p.tuple.DstPort = uint16(be16(l4[2:])), uint16(be16(l4))
	p.seq = binary.BigEndian.Uint32(l4[4:])
	p.hasPorts = true
	return noReason
}

// answer sends a frame back to the neighbour that the packet came from. That neighbour is unknown for a
// packet that the peer has relayed and for one that was turned around, so the kernel's neighbour table is
// used.
func answer(l link, frame []byte) Outcome {
	if !l.turned && !l.isPeers(frame) {
		turn(frame)
	}
	return Outcome{Verdict: Forward, Link: l.name, Frame: frame}
}

func turn(frame []byte) {
	var from MAC
	copy(from[:], frame[6:12])
	copy(frame[6:12], frame[0:6])
	copy(frame[0:6], from[:])
}

// answerEcho turns a ping into its reply.
func (d *Dataplane) answerEcho(l link, p *packet) Outcome {
	if d.isNoClient(p.tuple.Src) {
		return d.drop(dataplane.DropSource)
	}
	f, ip, message := p.family(), p.ip(), p.frame[p.l4:]
	copy(ip[f.src:], p.tuple.Dst.Bytes())
	copy(ip[f.dst:], p.tuple.Src.Bytes())
	reply := byte(echoReply)
	if f == v6 {
		ip[f.ttl], reply = defaultTTL, echoReply6
	} else {
		var header change
		header.replace(ip[8:10], []byte{defaultTTL, ip[9]})
		header.apply(p.frame[ipChecksum:])
	}
	var body change
	body.replace(message[0:2], []byte{reply, message[1]})
	body.apply(message[2:])
	d.counters.EchoReplies++
	return answer(l, p.frame)
}

// icmpRate counts the errors of a period of 1.07 s.
type icmpRate struct {
	span int64
	sent int
}

const icmpSpanShift = 30

func (r *icmpRate) allows(now clock.Instant, rate int) bool {
	if span := int64(now) >> icmpSpanShift; r.span != span {
		*r = icmpRate{span: span}
	}
	if r.sent >= rate {
		return false
	}
	r.sent++
	return true
}

// refuse drops a packet and sends its sender, if that is a client, an ICMP error from the packet's
// destination address. mtu is for DropTooBig.
func (d *Dataplane) refuse(l link, p *packet, reason dataplane.Drop, mtu int) Outcome {
	out := d.drop(reason)
	if p.kind != segment || d.isNoClient(p.tuple.Src) || !d.errors[p.family()].allows(d.now, d.cfg.ICMPRate) {
		return out
	}
	quoted := p.l4 - ethLen + udpQuoted
	switch {
	case p.tuple.Proto == flow.TCP:
		quoted = p.l4 - ethLen + tcpQuoted
	case p.tuple.Proto == flow.SCTP && p.flags&syn != 0:
		quoted = p.l4 - ethLen + initQuoted
	}
	f := p.family()
	message := make([]byte, icmpLen, icmpLen+quoted)
	switch {
	case reason == dataplane.DropNoBackend && f == v6:
		message[0], message[1] = unreachable6, portUnreachable6
	case reason == dataplane.DropNoBackend:
		message[0], message[1] = unreachable, portUnreachable
	case reason == dataplane.DropTooBig && f == v6:
		message[0] = tooBig6
	case reason == dataplane.DropTooBig:
		message[0], message[1] = unreachable, fragmentationNeeded
	case f == v6:
		message[0] = timeExceeded6
	default:
		message[0] = timeExceeded
	}
	if reason == dataplane.DropTooBig {
		binary.BigEndian.PutUint16(message[6:], uint16(mtu))
	}
	message = append(message, p.frame[ethLen:ethLen+quoted]...)
	frame := append(slices.Clone(p.frame[:ethLen]), f.header(f.icmp, p.tuple.Dst, p.tuple.Src, len(message))...)
	binary.BigEndian.PutUint16(message[2:], ^sum(append(f.pseudo(f.icmp, p.tuple.Dst, p.tuple.Src, len(message)), message...)))
	frame = append(frame, message...)
	d.counters.ICMPErrors++
	return answer(l, frame)
}

// errorOfFlow forwards an error in a direction; it quotes a segment of the other direction.
func (d *Dataplane) errorOfFlow(p *packet, c *conn, originalTuple flow.Tuple, dir direction) Outcome {
	if c == nil {
		return d.drop(dataplane.DropICMP)
	}
	s := d.serviceOf(originalTuple)
	if s == nil {
		return d.drop(dataplane.DropNoService)
	}
	how := s.leaving(c, true)
	if how == encapsulated && d.isTooBigInside(p, s.overhead(c)) {
		return d.drop(dataplane.DropTooBig)
	}
	if !c.isBelievable(p, 1-dir) {
		return d.drop(dataplane.DropICMPForged)
	}
	if c.isDirect() {
		return d.passDirect(p, c.reply.Src, how)
	}
	to := originalTuple.Reverse()
	if dir == original {
		to = c.reply.Reverse()
	}
	p.translateError(to)
	return d.leave(p, to.Dst, dir)
}

// isBelievable reports whether an error about a segment in a direction may be forwarded.
func (c *conn) isBelievable(p *packet, dir direction) bool {
	switch {
	case p.tuple.Proto == flow.UDP:
		return true
	case p.tuple.Proto == flow.SCTP:
		return c.quotes(p.seq, dir)
	case c.isDirect():
		return c.isPlausible(p.seq)
	}
	return c.expected[dir].isInFlight(p.seq)
}

// translateError rewrites an error to the flow as its receiver knows it: the quoted packet
// and the error's own addresses. The error's source is kept if the flow keeps its sender's
// address.
func (p *packet) translateError(to flow.Tuple) {
	f, message, inner, ports := p.family(), p.frame[p.l4:], p.frame[p.l4+icmpLen:], p.frame[p.innerL4:]
	sender := f.addr(p.ip(), f.src)
	if to.Src != p.tuple.Src {
		sender = to.Src
	}
	addresses := p.readdress(sender, to.Dst)
	var quoted, body change
	quoted.replace(inner[f.src:f.src+f.addrLen], f.bytes(&to.Dst))
	quoted.replace(inner[f.dst:f.dst+f.addrLen], f.bytes(&to.Src))
	if f == v6 {
		body = addresses + quoted // no IPv6 header checksum cancels the change
	} else {
		quoted.apply(inner[10:])
	}
	body.replace(ports[0:2], []byte{byte(to.DstPort >> 8), byte(to.DstPort)})
	body.replace(ports[2:4], []byte{byte(to.SrcPort >> 8), byte(to.SrcPort)})
	body.apply(message[2:])
}
