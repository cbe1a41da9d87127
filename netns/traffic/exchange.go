package traffic

import (
	"net/netip"

	"baton/impl/clock"
)

// datagrams are the exchanges of UDP flows: each message is one datagram.
type datagrams struct{ *idleFlows }

func (x *datagrams) ask(i int, intended clock.Instant) {
	f := &x.all[i]
	x.guests.send(i, x.stamp(i, f.seq, intended))
	f.seq++
	x.line.sent()
}

// receive takes an answer to the flow that has the address and port.
func (x *datagrams) receive(now clock.Instant, to netip.AddrPort, block []byte) {
	if i, known := x.guests.flowOf(to); known && i < len(x.all) && !x.all[i].dead {
		if got, ok := x.take(now, i, block); ok {
			x.sample.noteAnswer(i, got.intended)
		}
	}
}

// segments are the exchanges of TCP flows (RFC 9293): SYN, SYN-ACK, ACK, a request and its
// answer. An answer is acknowledged with the next request. A flow has one request
// outstanding at most, and sends that again until it has its answer. It is never closed:
// its address answers nothing from the end of its line on.
type segments struct{ *idleFlows }

// first is the sequence number of a flow's SYN.
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

// receive takes a segment for the flow that has its address and port.
func (x *segments) receive(now clock.Instant, s segment) {
	i, known := x.guests.flowOf(s.to)
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
		// What is behind its sequence number answers a request that was sent twice.
		if got, ok := x.take(now, i, s.payload); ok {
			f.seq, f.ack = s.ack, s.seq+uint32(len(s.payload))
			x.sample.noteAnswer(i, got.intended)
		}
	}
}

// accepted completes the handshake, and sends the first request.
func (x *segments) accepted(now clock.Instant, i int, s segment) {
	f, first := &x.all[i], x.first(i)
	if s.ack != first+1 {
		return
	}
	if f.connected {
		return // an answer to a SYN that was sent twice
	}
	f.connected, f.seq, f.ack = true, s.ack, s.seq+1
	x.guests.sendSegment(i, segment{flags: tcpACK, seq: f.seq, ack: f.ack})
	x.ask(i, now)
}

// reset ends a flow whose other end refuses it: by a RST that is in sequence (RFC 5961 3.2),
// or answers its SYN.
func (x *segments) reset(now clock.Instant, i int, s segment) {
	f := &x.all[i]
	switch {
	case !f.connected && s.ack == f.seq+1, f.connected && s.seq == f.ack:
		x.end(i, now, "connection reset by peer")
		x.sample.noteEnd(i)
	}
}
