package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/scenarios/lab"
)

// tcpState is the state of an endpoint.
type tcpState uint8

const (
	tcpClosed tcpState = iota
	tcpSynSent
	tcpSynReceived
	tcpEstablished
	tcpDone // both directions were closed
)

// Retransmission timeouts of Linux for a short round trip: 200 ms at first, 1 s for a SYN, doubled
// each time (RFC 6298).
const (
	rtoMin = 200 * time.Millisecond
	rtoSYN = time.Second
	rtoMax = 120 * time.Second

	// synAgain is after how long a client repeats its SYN when the answer acknowledged another
	// connection's sequence number (Linux since 5.6: two jiffies).
	synAgain = 8 * time.Millisecond

	challengeEvery = 500 * time.Millisecond // Linux's tcp_invalid_ratelimit
)

// retries are the maximum numbers of retransmissions by state (Linux: tcp_syn_retries,
// tcp_synack_retries, tcp_retries2).
var retries = [...]uint8{tcpSynSent: 6, tcpSynReceived: 5, tcpEstablished: 15, tcpDone: 15}

// endpoint is one end of a TCP connection. It sends data in order, retransmits what is not
// acknowledged, and accepts only the next segment in order. Segments hold whole messages: a
// message is never split.
type endpoint struct {
	id    uint32 // index of the connection on its side
	host  uint8
	link  uint8
	state tcpState
	tuple flow.Tuple // of the segments that it sends
	tag   uint32
	unit  uint16 // length in bytes of the messages that it sends

	una, nxt, end uint32 // oldest unacknowledged, next to send, end of the written data
	rcv           uint32 // next expected
	closing       bool   // the application has closed: a FIN follows the written data
	finSent       bool
	finReceived   bool
	recovering    bool          // a retransmission is unacknowledged; nothing new is sent until then
	recover       uint32        // nxt at the start of the recovery
	backoff       uint8         // retransmissions of the oldest segment
	orphan        bool          // its process has ended
	first         bool          // active close: it sent its FIN before it received the other's
	since         clock.Instant // when both directions were closed

	deadline clock.Instant // of the retransmission timer; Never while it is off
	timerAt  clock.Instant // of the scheduled timer event; Never if there is none
	assoc    *association  // nil for TCP
	// mayChallenge is the earliest instant of the next challenge ACK.
	mayChallenge clock.Instant
}

// disowns reports whether a segment must be answered with a RST: the connection is closed, or the
// segment carries data and the process that would read it has ended.
func (e *endpoint) disowns(p *packet) bool {
	if e.orphan && p.length > 0 && e.assoc == nil {
		e.forget()
	}
	return e.state == tcpClosed
}

// timeWait is how long the end that closed first stays in TIME_WAIT.
const timeWait = time.Minute

// lingers reports whether the endpoint is in TIME_WAIT and keeps its port.
func (e *endpoint) lingers(now clock.Instant) bool {
	return e.state == tcpDone && e.first && now.Sub(e.since) < timeWait
}

// forget drops the connection without sending anything.
func (e *endpoint) forget() { e.state, e.deadline = tcpClosed, clock.Never }

func after(a, b uint32) bool { return int32(a-b) > 0 }

// stack is the host side of an endpoint: packet output, timers, and callbacks to the application.
type stack interface {
	// output sends a segment of the endpoint.
	output(e *endpoint, p packet)
	// wake schedules the retransmission timer.
	wake(e *endpoint, at clock.Instant)
	// readable delivers bytes of new payload that belong to the flow tag. The payload of an answer
	// comes from a backend.
	readable(e *endpoint, bytes int, tag uint32, backend uint8)
	// connected: the handshake is complete. halfClosed: the other end has sent its
	// FIN first. finished: both directions are closed.
	connected(e *endpoint)
	halfClosed(e *endpoint)
	finished(e *endpoint)
	// reset: the connection was dropped by a RST, or timed out.
	reset(e *endpoint, why string)
}

// open sends the SYN of a connection.
func (e *endpoint) open(now clock.Instant, s stack, isn uint32) {
	e.state = tcpSynSent
	e.una, e.nxt, e.end = isn, isn+1, isn+1
	e.timerAt = clock.Never
	e.send(s, syn, isn, 0)
	e.arm(now, s)
}

// accept answers a SYN with a SYN-ACK.
func (e *endpoint) accept(now clock.Instant, s stack, isn, peer uint32) {
	e.state = tcpSynReceived
	e.una, e.nxt, e.end, e.rcv = isn, isn+1, isn+1, peer+1
	e.timerAt = clock.Never
	e.send(s, syn|ack, isn, 0)
	e.arm(now, s)
}

func (e *endpoint) send(s stack, flags uint8, seq uint32, length int) {
	p := packet{tuple: e.tuple, flags: flags, link: e.link, from: e.host, origin: e.host,
		seq: seq, length: uint16(length), tag: e.tag}
	if flags&ack != 0 {
		p.ack = e.rcv
	}
	if e.assoc != nil {
		e.assoc.complete(&p)
	}
	s.output(e, p)
}

// write queues messages and sends what it can.
func (e *endpoint) write(now clock.Instant, s stack, messages int) {
	e.end += uint32(messages) * uint32(e.unit)
	e.flush(now, s)
}

// close sends a FIN after the queued data.
func (e *endpoint) close(now clock.Instant, s stack) {
	e.closing = true
	e.flush(now, s)
}

// flush sends queued data, and the FIN if the application has closed.
func (e *endpoint) flush(now clock.Instant, s stack) {
	if e.assoc != nil {
		e.assoc.flush(e, now, s)
		return
	}
	if e.state != tcpEstablished || e.recovering {
		return
	}
	for after(e.end, e.nxt) && !e.finSent {
		n := min(e.end-e.nxt, e.mss())
		e.send(s, ack, e.nxt, int(n))
		e.nxt += n
		e.arm(now, s)
	}
	if e.closing && !e.finSent {
		e.finSent, e.first = true, !e.finReceived
		e.send(s, ack|fin, e.nxt, 0)
		e.nxt++
		e.arm(now, s)
	}
}

// mss returns how many bytes of whole messages fit into a segment.
func (e *endpoint) mss() uint32 {
	return uint32(segments[familyOf(e.tuple.Dst)] / e.unit * e.unit)
}

// segments are the lengths of full segments over Ethernet with the TCP timestamp option.
var segments = [lab.Families]uint16{lab.IPv4: 1448, lab.IPv6: 1428}

// arm starts the retransmission timer unless it is running.
func (e *endpoint) arm(now clock.Instant, s stack) {
	if e.deadline == clock.Never || e.deadline == 0 {
		e.restart(now, s)
	}
}

func (e *endpoint) restart(now clock.Instant, s stack) {
	rto, most := rtoMin, rtoMax
	switch {
	case e.assoc != nil:
		rto, most = rtoSCTP, rtoMaxSCTP
	case e.state == tcpSynSent || e.state == tcpSynReceived:
		rto = rtoSYN
	}
	e.wakeAt(s, now.Add(min(rto<<e.backoff, most)))
}

// wakeAt sets the retransmission timer.
func (e *endpoint) wakeAt(s stack, at clock.Instant) {
	e.deadline = at
	// One event per endpoint: nextTimer postpones an event that comes too early.
	if e.timerAt == clock.Never || e.timerAt > e.deadline {
		e.timerAt = e.deadline
		s.wake(e, e.deadline)
	}
}

// timer is called when the retransmission timer has run out.
func (e *endpoint) timer(now clock.Instant, s stack) {
	e.timerAt = clock.Never
	if e.backoff++; e.backoff > e.retries() {
		e.forget()
		s.reset(e, "connection timed out")
		return
	}
	e.repeat(s)
	e.restart(now, s)
}

func (e *endpoint) retries() uint8 {
	if e.assoc != nil {
		return retriesSCTP[e.state]
	}
	return retries[e.state]
}

// repeat sends the oldest unacknowledged segment again.
func (e *endpoint) repeat(s stack) {
	if e.assoc != nil {
		e.assoc.repeat(e, s)
		return
	}
	switch e.state {
	case tcpSynSent:
		e.send(s, syn, e.una, 0)
		return
	case tcpSynReceived:
		e.send(s, syn|ack, e.una, 0)
		return
	}
	e.recovering, e.recover = true, e.nxt
	data := e.end - e.una
	if e.finSent {
		data = e.nxt - 1 - e.una
	}
	if data = min(data, e.mss()); data == 0 {
		e.send(s, ack|fin, e.una, 0)
		return
	}
	e.send(s, ack, e.una, int(data))
	if after(e.una+data, e.nxt) {
		e.nxt = e.una + data
	}
}

// receive takes a segment.
func (e *endpoint) receive(now clock.Instant, s stack, p *packet) {
	switch {
	case e.assoc != nil:
		e.assoc.receive(e, now, s, p)
		return
	case p.flags&rst != 0:
		e.receiveRST(now, s, p)
		return
	case e.state == tcpSynSent:
		e.receiveSYNACK(now, s, p)
		return
	case p.flags&syn != 0:
		// A repeated SYN gets another SYN-ACK. A repeated SYN-ACK, or a SYN in the middle of a
		// connection, gets a challenge ACK (RFC 5961 section 4).
		if e.state == tcpSynReceived && p.seq+1 == e.rcv {
			e.send(s, syn|ack, e.una, 0)
			return
		}
		e.challenge(now, s)
		return
	}
	if p.flags&ack != 0 && !e.acknowledge(now, s, p) {
		return
	}
	e.payload(now, s, p)
	if e.finSent && e.una == e.nxt && e.finReceived && e.state == tcpEstablished {
		e.state, e.since = tcpDone, now
		e.deadline = clock.Never
		s.finished(e)
	}
}

// challenge answers an unacceptable segment with a challenge ACK (RFC 5961). The rate is limited,
// as in kernels, because two ends that disagree would challenge each other for ever.
func (e *endpoint) challenge(now clock.Instant, s stack) {
	if now >= e.mayChallenge {
		e.mayChallenge = now.Add(challengeEvery)
		e.send(s, ack, e.nxt, 0)
	}
}

func (e *endpoint) receiveRST(now clock.Instant, s stack, p *packet) {
	valid := p.seq == e.rcv
	if e.state == tcpSynSent {
		valid = p.flags&ack != 0 && p.ack == e.nxt
	}
	switch {
	case e.state == tcpDone && p.seq == e.rcv:
		e.state = tcpClosed // Linux does so by default; RFC 1337 would ignore the RST
	case e.state == tcpClosed || e.state == tcpDone:
	case valid:
		e.forget()
		s.reset(e, "connection reset by peer")
	case e.state == tcpEstablished && after(p.seq, e.rcv) && p.seq-e.rcv < 1<<16:
		e.challenge(now, s)
	}
}

func (e *endpoint) receiveSYNACK(now clock.Instant, s stack, p *packet) {
	if p.flags&ack != 0 && p.ack != e.nxt {
		// An answer to another connection's segment.
		s.output(e, packet{tuple: e.tuple, flags: rst, link: e.link, from: e.host, origin: e.host, seq: p.ack, tag: e.tag})
		if e.backoff == 0 {
			e.wakeAt(s, now.Add(synAgain))
		}
		return
	}
	if p.flags&(syn|ack) != syn|ack {
		return
	}
	e.rcv, e.una = p.seq+1, p.ack
	e.state, e.backoff, e.deadline = tcpEstablished, 0, clock.Never
	e.send(s, ack, e.nxt, 0)
	s.connected(e)
}

// acknowledge handles the acknowledgement number of a segment. It reports false if the rest of the
// segment must be ignored.
func (e *endpoint) acknowledge(now clock.Instant, s stack, p *packet) bool {
	switch {
	case after(p.ack, e.nxt):
		e.challenge(now, s)
		return false
	case after(p.ack, e.una):
		partial := e.recovering && after(e.recover, p.ack) // RFC 6582 section 3.2: more of it is missing
		e.una, e.backoff, e.recovering = p.ack, 0, false
		e.deadline = clock.Never
		if e.una != e.nxt {
			e.restart(now, s)
		}
		if e.state == tcpSynReceived {
			e.state = tcpEstablished
			s.connected(e)
		}
		if partial {
			e.repeat(s)
		}
		e.flush(now, s)
	case p.ack == e.una && e.una != e.nxt && p.length == 0 && p.flags&fin == 0 && !e.recovering && e.state == tcpEstablished:
		// A duplicate acknowledgement reports a gap: retransmit its first segment.
		e.repeat(s)
	}
	return true
}

// payload accepts the bytes and the FIN of a segment that are next in order.
func (e *endpoint) payload(now clock.Instant, s stack, p *packet) {
	if p.length == 0 && p.flags&fin == 0 {
		return
	}
	if e.state == tcpSynReceived {
		return
	}
	old := e.rcv - p.seq // bytes of the segment already received
	switch {
	case after(p.seq, e.rcv), old > uint32(p.length), old == uint32(p.length) && (p.flags&fin == 0 || e.finReceived):
		// Out of order, or nothing new.
		e.send(s, ack, e.nxt, 0)
		return
	}
	bytes := uint32(p.length) - old
	e.rcv += bytes
	if p.flags&fin != 0 && !e.finReceived {
		e.finReceived = true
		e.rcv++
	}
	// If the application answers at once, its segment carries the acknowledgement.
	before := e.nxt
	if bytes > 0 {
		s.readable(e, int(bytes), p.tag, p.backend)
	}
	if e.finReceived && e.state == tcpEstablished && !e.closing {
		s.halfClosed(e)
	}
	if e.nxt == before && e.state != tcpClosed { // the application may have reset it
		e.send(s, ack, e.nxt, 0)
	}
}
