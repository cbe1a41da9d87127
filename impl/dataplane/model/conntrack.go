package model

import (
	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// conn is one flow; its key is the original tuple.
type conn struct {
	reply    flow.Tuple
	state    flow.State
	origin   flow.Origin
	lastSeen clock.Instant
	// The next state depends on these.
	replySeen bool    // the backend has answered the SYN
	fin       [2]bool // by direction: a FIN went that way
	expected  [2]expected
	echoed    uint32 // the tag of a COOKIE ECHO that the backend has not acknowledged; 0 for none
}

// expected is the sequence number that a direction's receiver expects next: the one that it
// has last acknowledged. For SCTP, seq is the direction's verification tag.
type expected struct {
	known      bool
	seq, acked uint32
}

func (e expected) is(seq uint32) bool { return e.known && e.seq == seq }

// maxWindow is the maximum receive window (RFC 7323 2.2).
const maxWindow = 1 << 30

// acknowledge stores an acknowledgement, unless it is older than the known one.
func (e *expected) acknowledge(ack uint32) {
	if ahead := int32(ack - e.seq); !e.known || ahead > 0 || ahead < -maxWindow {
		e.known, e.seq = true, ack
	}
	e.acked = ack
}

// isInFlight reports whether a segment with this number can be in flight to the receiver.
// It is always true if the numbers are unknown.
func (e expected) isInFlight(seq uint32) bool {
	length := max(int32(e.seq-e.acked), 0)
	return !e.known || seq-e.acked <= uint32(length)
}

// Exchanged tells the model of segments of an established flow that it has not seen: what
// the backend and the client now expect and have acknowledged.
func (d *Dataplane) Exchanged(t flow.Tuple, byBackend, byClient uint32) {
	if c := d.conns[t]; c != nil {
		c.expected = [2]expected{original: {true, byBackend, byBackend}, reply: {true, byClient, byClient}}
	}
}

// direction is a packet's direction within its flow.
type direction int

const (
	original direction = iota // client to backend
	reply
)

// TCP flags.
const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	ack = 0x10
)

// isFreshSYN reports whether a packet is the first segment of a connection.
func (p *packet) isFreshSYN() bool {
	return p.flags&(syn|ack|rst|fin) == syn
}

// isMidFlow reports whether a segment belongs to an established connection, which it can
// adopt.
func (p *packet) isMidFlow() bool {
	return p.flags&(syn|ack|rst) == ack
}

// opens reports whether a packet is the first of a flow.
func (p *packet) opens() bool { return p.tuple.Proto == flow.UDP || p.isFreshSYN() }

// next updates the state for a packet in a direction. A segment only counts if it proves
// that its sender sees the connection; see docs/conntrack.md.
func (c *conn) next(p *packet, dir direction) {
	inOrder := c.expected[dir].is(p.seq)
	switch {
	case p.tuple.Proto == flow.UDP:
		if dir == reply {
			c.state = flow.Assured
		}
	case p.tuple.Proto == flow.SCTP:
		c.nextSCTP(p, dir)
	case p.flags&rst != 0:
		if inOrder || c.refuses(p, dir) {
			c.state = flow.Closed
		}
	case p.flags&syn != 0:
		if dir == reply && p.flags&ack != 0 && !c.expected[reply].is(p.seq+1) {
			c.answered(p)
		}
	default:
		c.segment(p, dir, inOrder)
	}
}

// refuses reports whether a backend refuses a SYN: by a RST that acknowledges it (RFC 9293
// 3.10.7.3).
func (c *conn) refuses(p *packet, dir direction) bool {
	return dir == reply && c.state == flow.SynSent && !c.expected[reply].known &&
		p.flags&ack != 0 && c.expected[original].is(p.ack)
}

// answered handles a SYN-ACK that is not a retransmission: of this connection, or of a new one
// on the same ports after the backend has forgotten the old one.
func (c *conn) answered(p *packet) {
	c.expected = [2]expected{original: {true, p.ack, p.ack}, reply: {true, p.seq + 1, p.seq}}
	switch c.state {
	case flow.SynSent:
		c.replySeen = true
	case flow.FinWait:
		c.state, c.replySeen, c.fin = flow.SynSent, true, [2]bool{}
	}
}

// segment handles a segment that is neither SYN nor RST.
func (c *conn) segment(p *packet, dir direction, inOrder bool) {
	isFIN, isACK := p.flags&fin != 0, p.flags&ack != 0
	if c.state == flow.SynSent && isACK && c.completes(p, dir) {
		c.state = flow.Established
	}
	if isFIN && inOrder && (c.state == flow.Established || c.state == flow.FinWait) {
		c.closing(dir)
	}
	if inOrder && (isFIN || p.payload > 0) {
		c.expected[dir].seq = p.seq + p.payload
		if isFIN {
			c.expected[dir].seq++
		}
	}
	if isACK && c.state != flow.SynSent {
		c.expected[1-dir].acknowledge(p.ack)
	}
}

// completes reports whether an ACK completes the handshake: the client's ACK of the
// backend's SYN-ACK. Floods of SYNs, and of ACKs after them, do not get a long timeout. A
// backend that sends anything but a SYN-ACK has seen that ACK, even if this node has not.
func (c *conn) completes(p *packet, dir direction) bool {
	return dir == reply || c.replySeen && (!c.expected[reply].known || c.expected[reply].seq == p.ack)
}

func (c *conn) closing(dir direction) {
	c.fin[dir] = true
	c.state = flow.FinWait
	if c.fin[original] && c.fin[reply] {
		c.state = flow.Closed
	}
}

// unproven reports whether a RST, FIN or SYN has not changed the state.
func (c *conn) unproven(p *packet, dir direction) bool {
	switch {
	case p.tuple.Proto == flow.UDP || c.state == flow.Closed:
		return false
	case p.flags&rst != 0:
		return true
	case p.flags&syn != 0:
		return dir == original && c.state != flow.SynSent
	}
	return p.flags&fin != 0 && !c.fin[dir]
}

// first sets the state of an entry that p creates, in the original direction. Like a new
// flow, an adopted one must be answered by its backend first, so that a flood of segments
// without connections does not get a long timeout.
func (c *conn) first(p *packet) {
	switch {
	case p.tuple.Proto == flow.SCTP:
		c.firstSCTP(p)
	case c.isDirect():
		c.firstDirect(p)
	case p.tuple.Proto == flow.UDP:
		c.state = flow.Unreplied
	case p.isFreshSYN():
		c.state, c.expected[original] = flow.SynSent, expected{true, p.seq + 1, p.seq}
	default:
		c.state, c.expected[reply] = flow.SynSent, expected{true, p.ack, p.ack}
	}
}

// isUnearned reports whether p is a backend's RST to an unconfirmed flow: it only shows
// that the flow was adopted to the wrong backend, so its client must not receive it.
func (d *Dataplane) isUnearned(c *conn, p *packet) bool {
	return d.miss != dataplane.MissGuess && p.flags&rst != 0 &&
		c.state == flow.SynSent && c.origin == flow.Adopted
}

// meetsOldConnection reports whether a backend answers the flow's SYN with a challenge ACK, because it
// still has an old connection from the same port (RFC 5961 4.2).
func (c *conn) meetsOldConnection(p *packet) bool {
	return p.tuple.Proto == flow.TCP && p.isMidFlow() && c.state == flow.SynSent && !c.replySeen &&
		c.expected[original].known && c.expected[original].seq != p.ack
}

// reopens reports whether p begins a new connection on the tuple of a closed one.
func (c *conn) reopens(p *packet) bool { return p.isFreshSYN() && c.state == flow.Closed }

// track updates the entry's state and last-seen time, which is written once a second and on
// each change of state. Unproven packets, and a client's repeated SYNs, do not refresh the
// entry.
func (d *Dataplane) track(c *conn, originalTuple flow.Tuple, p *packet, dir direction) {
	if c.isDirect() {
		d.trackDirect(c, originalTuple, p)
		return
	}
	before := c.state
	c.next(p, dir)
	if c.state != before {
		d.countMoved(originalTuple, before, c.state)
		d.emit(originalTuple, c)
	}
	switch {
	case c.unproven(p, dir):
		d.counters.Unproven++
	case dir == original && p.isFreshSYN():
	case c.state != before || d.now.Sub(c.lastSeen) >= dataplane.SeenEvery:
		c.lastSeen = d.now
	}
}
