package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/scenarios/lab"
)

// tcpState is how far an endpoint has come.
type tcpState uint8

const (
	tcpClosed tcpState = iota
	tcpSynSent
	tcpSynReceived
	tcpEstablished
	tcpDone // both directions have ended in order
)

// Retransmission as Linux does it where the round trip is short: RTO from 200 ms,
// a SYN's from 1 s, doubled each time (RFC 6298).
const (
	rtoMin = 200 * time.Millisecond
	rtoSYN = time.Second
	rtoMax = 120 * time.Second

	// synAgain is after how long a client sends its SYN again to which an end has answered that
	// has another connection in mind (Linux from 5.6 on: two jiffies).
	synAgain = 8 * time.Millisecond

	challengeEvery = 500 * time.Millisecond // Linux's tcp_invalid_ratelimit
)

// retries are how often a segment is repeated (Linux: tcp_syn_retries, tcp_synack_retries,
// tcp_retries2).
var retries = [...]uint8{tcpSynSent: 6, tcpSynReceived: 5, tcpEstablished: 15, tcpDone: 15}

// endpoint is one end of a TCP connection. It sends what the application has
// written in order, repeats what is not acknowledged, and accepts what is next.
// Segments are whole messages: nothing is ever split.
type endpoint struct {
	id    uint32 // of the connection among those of its side
	host  uint8  // that it lives on
	link  uint8
	state tcpState
	// tuple is that of the segments that it sends.
	tuple flow.Tuple
	tag   uint32
	unit  uint16 // bytes of one message that it sends

	una, nxt, end uint32 // oldest unacknowledged, next to be sent, end of what was written
	rcv           uint32 // next expected
	closing       bool   // the application has closed: a FIN follows what was written
	finSent       bool
	finReceived   bool
	recovering    bool   // a retransmission is out; nothing new is sent before it is acknowledged
	recover       uint32 // what had been sent by then
	backoff       uint8
	orphan        bool          // its process has ended
	first         bool          // it has sent its FIN before it had the other's
	since         clock.Instant // when both directions had ended

	deadline clock.Instant // when the retransmission timer runs out; Never while it is off
	timerAt  clock.Instant // of the event that is scheduled; Never if none is
	assoc    *association  // of SCTP, nil for TCP
	// mayChallenge is from when on another challenge may be sent.
	mayChallenge clock.Instant
}

// disowns reports whether a segment belongs to no connection, or to one of which nobody
// will read what it carries.
func (e *endpoint) disowns(p *packet) bool {
	if e.orphan && p.length > 0 && e.assoc == nil {
		e.forget()
	}
	return e.state == tcpClosed
}

// timeWait is for how long the end that has closed first keeps its port.
const timeWait = time.Minute

// lingers reports whether the end keeps its port although both directions have ended.
func (e *endpoint) lingers(now clock.Instant) bool {
	return e.state == tcpDone && e.first && now.Sub(e.since) < timeWait
}

// forget leaves nothing of the connection, and tells nobody.
func (e *endpoint) forget() { e.state, e.deadline = tcpClosed, clock.Never }

func after(a, b uint32) bool { return int32(a-b) > 0 }

// stack is what an endpoint needs of the host that it lives on.
type stack interface {
	// output sends a segment of the endpoint.
	output(e *endpoint, p packet)
	// wake schedules the retransmission timer.
	wake(e *endpoint, at clock.Instant)
	// readable hands over bytes of new payload, which belong to the flow tag and,
	// of an answer, come from a backend.
	readable(e *endpoint, bytes int, tag uint32, backend uint8)
	// connected: the handshake is complete. halfClosed: the other end has sent its
	// FIN first. finished: both directions have ended in order.
	connected(e *endpoint)
	halfClosed(e *endpoint)
	finished(e *endpoint)
	// reset: the connection is gone, because of a RST or because nothing was
	// acknowledged for too long.
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

// accept answers a SYN.
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

// write appends messages to what is to be sent.
func (e *endpoint) write(now clock.Instant, s stack, messages int) {
	e.end += uint32(messages) * uint32(e.unit)
	e.flush(now, s)
}

// close ends this end's direction once everything has been sent.
func (e *endpoint) close(now clock.Instant, s stack) {
	e.closing = true
	e.flush(now, s)
}

// flush sends what has not been sent yet.
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

// mss is how many bytes of whole messages fit a segment.
func (e *endpoint) mss() uint32 {
	return uint32(segments[familyOf(e.tuple.Dst)] / e.unit * e.unit)
}

// segments are the lengths of whole ones over Ethernet, whose headers carry timestamps.
var segments = [lab.Families]uint16{lab.IPv4: 1448, lab.IPv6: 1428}

// arm starts the retransmission timer unless it runs.
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
	// One event per endpoint: where it would come too early, nextTimer puts it off.
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
		// A repeated SYN-ACK, or a SYN in the middle of a connection: say where we
		// are (the challenge ACK of RFC 5961 section 4). A repeated SYN is answered anew.
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

// challenge says where this end is to a segment that does not fit (RFC 5961).
// Two ends that disagree would do so for ever, which is why kernels limit the rate.
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
		e.state = tcpClosed // RFC 1337 has it otherwise, and kernels do it so
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

// acknowledge takes the acknowledgement of a segment; it reports false if the
// rest of the segment must not be looked at.
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
		// What came behind a hole has been acknowledged again: fill the hole.
		e.repeat(s)
	}
	return true
}

// payload takes the bytes and the FIN of a segment that are next in order.
func (e *endpoint) payload(now clock.Instant, s stack, p *packet) {
	if p.length == 0 && p.flags&fin == 0 {
		return
	}
	if e.state == tcpSynReceived {
		return
	}
	old := e.rcv - p.seq // bytes of the segment that came before
	switch {
	case after(p.seq, e.rcv), old > uint32(p.length), old == uint32(p.length) && (p.flags&fin == 0 || e.finReceived):
		// Behind a hole, or nothing new.
		e.send(s, ack, e.nxt, 0)
		return
	}
	bytes := uint32(p.length) - old
	e.rcv += bytes
	if p.flags&fin != 0 && !e.finReceived {
		e.finReceived = true
		e.rcv++
	}
	// The answer that the application writes at once carries the acknowledgement.
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
