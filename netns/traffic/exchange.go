package traffic

import (
	"net/netip"

	"baton/impl/clock"
)

// datagrams implements UDP flows: each message is one datagram.
type datagrams struct{ *idleFlows }

func (x *datagrams) ask(i int, intended clock.Instant) {
	f := &x.all[i]
	x.bindings.send(i, intended)
	x.guests.send(x.bindings.place(i), x.stamp(i, f.seq, intended))
	f.seq++
	x.line.sent()
}

// receive handles an answer to the flow with the address and port.
func (x *datagrams) receive(now clock.Instant, to netip.AddrPort, block []byte) {
	place, known := x.guests.placeOf(to)
	if !known {
		return
	}
	if i, known := x.bindings.flow(place); known && i < len(x.all) && !x.all[i].dead {
		if got, ok := x.take(now, i, block); ok {
			x.sample.noteAnswer(i, got.intended)
		}
	}
}

// segments implements TCP flows (RFC 9293): SYN, SYN-ACK, ACK, a request and its answer.
// The next request acknowledges the answer. A flow has at most one outstanding request and
// repeats it until it is answered. It never closes: after the end of its line, its address
// no longer answers.
type segments struct{ *idleFlows }

// first returns the sequence number of a flow's SYN.
func (x *segments) first(i int) uint32 { return uint32(x.numbers[i])*2654435761 ^ uint32(x.line.run) }

func (x *segments) ask(i int, intended clock.Instant) {
	f := &x.all[i]
	if !f.connected {
		f.seq = x.first(i)
		x.guests.sendSegment(i, segment{flags: tcpSYN, seq: f.seq})
		return
	}
	payload := make([]byte, requestLen)
	putRequest(payload, x.stamp(i, f.seq, intended))
	x.guests.sendSegment(i, segment{flags: tcpPSH | tcpACK, seq: f.seq, ack: f.ack, payload: payload})
	x.line.sent()
}

// receive handles a segment for the flow with its address and port.
func (x *segments) receive(now clock.Instant, s segment) {
	i, known := x.guests.placeOf(s.to)
	if !known || i >= len(x.all) || x.all[i].dead {
		return
	}
	f := &x.all[i]
	switch {
	case s.flags&tcpRST != 0:
		x.reset(now, i, s)
	case s.flags&(tcpSYN|tcpACK) == tcpSYN|tcpACK:
		x.accepted(now, i, s)
	case f.connected && len(s.payload) > 0 && s.seq == f.ack && s.ack == f.seq+requestLen:
		// A segment behind the expected sequence number answers a repeated request.
		if got, ok := x.take(now, i, s.payload); ok {
			f.seq, f.ack = s.ack, s.seq+uint32(len(s.payload))
			x.sample.noteAnswer(i, got.intended)
		}
	}
}

// accepted completes the handshake and sends the first request.
func (x *segments) accepted(now clock.Instant, i int, s segment) {
	f, first := &x.all[i], x.first(i)
	if s.ack != first+1 {
		return
	}
	if f.connected {
		return // an answer to a repeated SYN
	}
	f.connected, f.seq, f.ack = true, s.ack, s.seq+1
	x.guests.sendSegment(i, segment{flags: tcpACK, seq: f.seq, ack: f.ack})
	x.ask(i, now)
}

// reset ends a flow on a RST that is in sequence (RFC 5961 3.2) or answers its SYN.
func (x *segments) reset(now clock.Instant, i int, s segment) {
	f := &x.all[i]
	switch {
	case !f.connected && s.ack == f.seq+1, f.connected && s.seq == f.ack:
		x.end(i, now, "connection reset by peer")
		x.sample.noteEnd(i)
	}
}
