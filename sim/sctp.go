package sim

import (
	"encoding/binary"
	"time"

	"baton/impl/clock"
	"baton/impl/sctp"
)

// Retransmission timeouts of RFC 9260 section 16. The round trip is short, so the RTO is RTO.Min.
const (
	rtoSCTP    = time.Second
	rtoMaxSCTP = time.Minute

	// missesUntilRepeat is the number of SACKs reporting a gap that trigger a fast retransmission
	// (RFC 9260 7.2.4).
	missesUntilRepeat = 3
)

// retriesSCTP are Max.Init.Retransmits (8) and Association.Max.Retrans (10).
var retriesSCTP = [...]uint8{tcpSynSent: 8, tcpSynReceived: 8, tcpEstablished: 10, tcpDone: 10}

// association is the SCTP part of an endpoint. It reuses the states, sequence numbers and
// retransmission of the TCP model: TSNs count bytes and start at the sender's verification tag, and
// each packet carries one message. There is one stream and one address.
type association struct {
	mine, peer uint32 // verification tags: of packets it receives, of packets it sends
	echoes     bool   // a client has received the cookie and sends COOKIE ECHO
	ending     uint8  // SHUTDOWN or SHUTDOWN ACK, whichever it sent last; 0 if none
	misses     uint8  // SACKs that have reported the current gap
}

// tagFrom makes a verification tag from a random number. A tag is never 0.
func tagFrom(random uint64) uint32 { return uint32(random) | 1 }

// associate sends the INIT of an association.
func (e *endpoint) associate(now clock.Instant, s stack, tag uint32) {
	e.assoc = &association{mine: tag}
	e.state, e.timerAt = tcpSynSent, clock.Never
	e.una, e.nxt, e.end = tag, tag, tag
	e.assoc.repeat(e, s)
	e.arm(now, s)
}

// admit establishes a server's association after a COOKIE ECHO.
func (e *endpoint) admit(s stack, mine, peer uint32) {
	e.assoc = &association{mine: mine, peer: peer}
	e.state, e.timerAt = tcpEstablished, clock.Never
	e.una, e.nxt, e.end, e.rcv = mine, mine, mine, peer
	e.assoc.control(e, s, sctp.CookieAck)
	s.connected(e)
}

// complete turns a segment of the TCP model into an SCTP packet.
func (a *association) complete(p *packet) {
	p.chunk = chunk{kind: sctp.Sack, tag: a.peer}
	switch {
	case p.flags&rst != 0:
		p.chunk.kind = sctp.Abort
	case p.length > 0:
		p.chunk.kind = sctp.Data
	}
}

// control sends a chunk without data.
func (a *association) control(e *endpoint, s stack, kind uint8) {
	p := packet{tuple: e.tuple, flags: roles[kind], link: e.link, from: e.host, origin: e.host, tag: e.tag,
		seq: e.una, ack: e.rcv, chunk: chunk{kind: kind, tag: a.peer}}
	switch kind {
	case sctp.Init:
		p.chunk.tag, p.chunk.initiate = 0, a.mine
	case sctp.CookieEcho:
		p.chunk.initiate = a.mine // part of the cookie
	}
	s.output(e, p)
}

// flush sends the queued messages. Once all are acknowledged it sends SHUTDOWN or SHUTDOWN ACK if
// the association is closing.
func (a *association) flush(e *endpoint, now clock.Instant, s stack) {
	if e.state != tcpEstablished || e.recovering {
		return
	}
	for after(e.end, e.nxt) && a.ending == 0 {
		e.send(s, ack, e.nxt, int(e.unit))
		e.nxt += uint32(e.unit)
		e.arm(now, s)
	}
	ending := a.ending
	switch {
	case e.una != e.end:
	case e.finReceived:
		ending = sctp.ShutdownAck
	case e.closing:
		ending = sctp.Shutdown
	}
	if ending != a.ending {
		a.ending = ending
		a.control(e, s, ending)
		e.arm(now, s)
	}
}

// repeat retransmits the oldest unanswered chunk.
func (a *association) repeat(e *endpoint, s stack) {
	switch {
	case e.state == tcpSynSent && a.echoes:
		a.control(e, s, sctp.CookieEcho)
	case e.state == tcpSynSent:
		a.control(e, s, sctp.Init)
	case e.una != e.nxt:
		e.recovering, e.recover = true, e.nxt
		a.misses = 0
		e.send(s, ack, e.una, int(e.unit))
	case a.ending != 0:
		a.control(e, s, a.ending)
	}
}

// proves reports whether a packet has the right verification tag (RFC 9260 8.5).
func (a *association) proves(p *packet) bool {
	if p.chunk.reflected {
		return a.peer != 0 && p.chunk.tag == a.peer
	}
	return p.chunk.tag == a.mine
}

// receive handles a packet. It discards one with a wrong verification tag (RFC 9260 8.5).
func (a *association) receive(e *endpoint, now clock.Instant, s stack, p *packet) {
	if !a.proves(p) {
		return
	}
	switch p.chunk.kind {
	case sctp.InitAck:
		if e.state == tcpSynSent && !a.echoes {
			a.peer, a.echoes = p.chunk.initiate, true
			e.rcv, e.backoff = p.chunk.initiate, 0
			a.repeat(e, s)
			e.restart(now, s)
		}
	case sctp.CookieEcho:
		a.control(e, s, sctp.CookieAck) // the first COOKIE ACK was lost
	case sctp.CookieAck:
		if e.state == tcpSynSent && a.echoes {
			e.state, e.backoff, e.deadline = tcpEstablished, 0, clock.Never
			s.connected(e)
		}
	case sctp.Abort:
		if e.state == tcpSynSent || e.state == tcpEstablished {
			e.forget()
			s.reset(e, "connection reset by peer")
		}
	case sctp.Data, sctp.Sack:
		if e.state == tcpEstablished {
			a.acknowledge(e, now, s, p)
			e.payload(now, s, p)
		}
	default:
		a.shutdown(e, now, s, p)
	}
}

// acknowledge handles the cumulative TSN of a packet. A SACK that only repeats it reports a gap.
func (a *association) acknowledge(e *endpoint, now clock.Instant, s stack, p *packet) {
	switch {
	case after(p.ack, e.nxt):
	case after(p.ack, e.una):
		partial := e.recovering && after(e.recover, p.ack)
		e.una, e.backoff, e.recovering, e.deadline, a.misses = p.ack, 0, false, clock.Never, 0
		if e.una != e.nxt {
			e.restart(now, s)
		}
		if partial {
			a.repeat(e, s)
		}
		e.flush(now, s)
	case p.ack == e.una && e.una != e.nxt && p.chunk.kind == sctp.Sack && !e.recovering:
		if a.misses++; a.misses == missesUntilRepeat {
			a.repeat(e, s)
		}
	}
}

// shutdown handles the three chunks that end an association (RFC 9260 9.2).
func (a *association) shutdown(e *endpoint, now clock.Instant, s stack, p *packet) {
	switch {
	case p.chunk.kind == sctp.ShutdownAck && (e.state == tcpDone || a.ending != 0):
		a.control(e, s, sctp.ShutdownComplete)
		a.end(e, now, s)
	case p.chunk.kind == sctp.ShutdownComplete && a.ending == sctp.ShutdownAck:
		a.end(e, now, s)
	case p.chunk.kind == sctp.Shutdown && e.state == tcpEstablished:
		a.acknowledge(e, now, s, p)
		first := !e.finReceived
		if e.finReceived = true; first && !e.closing {
			s.halfClosed(e)
		}
		e.flush(now, s)
	}
}

func (a *association) end(e *endpoint, now clock.Instant, s stack) {
	if e.state == tcpEstablished {
		e.state, e.since, e.deadline = tcpDone, now, clock.Never
		s.finished(e)
	}
}

// receiveChunk handles an SCTP packet at a backend. The backend keeps no state for an INIT; the
// cookie identifies the client (RFC 9260 5.1).
func (w *World) receiveChunk(h *host, p *packet) {
	var s *server
	if id, known := h.sockets[p.tuple]; known {
		s = w.servers.at(id)
	}
	switch kind := p.chunk.kind; {
	case kind == sctp.Init && !h.ended:
		w.reply(packet{tuple: p.tuple.Reverse(), flags: roles[sctp.InitAck], link: p.link, from: h.index, origin: h.index, backend: h.index, tag: p.tag,
			chunk: chunk{kind: sctp.InitAck, tag: p.chunk.initiate, initiate: w.cookieTag(h, p)}})
	case s != nil && s.state != tcpClosed && s.assoc.proves(p):
		s.receive(w.now, (*backends)(w), p)
	case kind == sctp.CookieEcho && !h.ended && p.chunk.tag == w.cookieTag(h, p):
		s = w.addServer(h, p)
		s.admit((*backends)(w), p.chunk.tag, p.chunk.initiate)
	case s != nil && s.state == tcpEstablished:
	default:
		w.refuse(p)
	}
}

// cookieTag is the verification tag that a host chooses for an association. It differs between
// hosts.
func (w *World) cookieTag(h *host, p *packet) uint32 {
	return tagFrom(mix(uint64(w.cookie(p.tuple)) ^ uint64(p.chunk.initiate)<<16 ^ uint64(h.index)<<56))
}

// refuseChunk answers a packet that belongs to no association.
func (w *World) refuseChunk(p *packet) {
	answer, ok := sctp.Refuse(p.chunk.packet())
	if !ok {
		return
	}
	w.sendBack(p, packet{tuple: p.tuple.Reverse(), flags: roles[answer.Chunk], link: p.link, from: p.to, origin: p.to, tag: p.tag,
		chunk: chunk{kind: answer.Chunk, tag: answer.Tag, reflected: answer.Flags&sctp.Reflected != 0}})
}

// chunk is the header of an SCTP packet and its only chunk.
type chunk struct {
	kind      uint8
	reflected bool
	tag       uint32 // verification tag
	initiate  uint32 // Initiate Tag of INIT and INIT ACK; in COOKIE ECHO the client's, from the cookie
}

// roles maps chunk types to the TCP flags of the corresponding segment, by which the capture
// recognises an ABORT as a RST.
var roles = [...]uint8{sctp.Data: ack, sctp.Init: syn, sctp.InitAck: syn | ack, sctp.Sack: ack, sctp.Abort: rst, sctp.Shutdown: fin | ack,
	sctp.ShutdownAck: fin | ack, sctp.CookieEcho: ack, sctp.CookieAck: ack, sctp.ShutdownComplete: fin | ack}

// chunkLens are the lengths of chunks without data, where longer than the chunk header.
var chunkLens = [...]int{sctp.Data: 16, sctp.Init: sctp.InitLen, sctp.InitAck: sctp.InitLen, sctp.Sack: 16, sctp.Shutdown: 8, sctp.ShutdownComplete: sctp.ChunkLen}

func (c chunk) len() int { return max(sctp.ChunkLen, chunkLens[c.kind]) }

// packetLen is the length of the packet with data bytes of payload.
func (c chunk) packetLen(data uint16) int { return sctp.HeaderLen + c.len() + int(data) }

// write writes the verification tag and the chunk after the ports. The checksum stays 0, as with
// checksum offload.
func (c chunk) write(b []byte) {
	be, first := binary.BigEndian, b[sctp.HeaderLen:]
	be.PutUint32(b[4:], c.tag)
	first[0] = c.kind
	if c.reflected {
		first[1] = sctp.Reflected
	}
	be.PutUint16(first[2:], uint16(len(first)))
	if c.len() == sctp.InitLen {
		be.PutUint32(first[sctp.ChunkLen:], c.initiate)
	}
}

// packet converts the chunk to package sctp's form.
func (c chunk) packet() sctp.Packet {
	b := make([]byte, c.packetLen(0))
	c.write(b)
	p, _ := sctp.Parse(b)
	return p
}

// aborts turns a packet into the dataplane's ABORT in frame b. It reports false if b is none.
func (p *packet) aborts(b []byte) bool {
	answer, ok := sctp.Parse(b[len(b)-sctp.HeaderLen-sctp.ChunkLen:])
	if !ok || answer.Chunk != sctp.Abort {
		return false
	}
	p.chunk = chunk{kind: answer.Chunk, tag: answer.Tag, reflected: answer.Flags&sctp.Reflected != 0}
	p.flags, p.length = roles[answer.Chunk], 0
	return true
}
