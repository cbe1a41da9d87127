package model

import (
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Direct flows: the backend answers the client without the node, which sees one direction.

// isDirect reports whether the flow is direct.
func (c *conn) isDirect() bool { return c.reply.Unclaimed() }

// end returns the sequence number after a segment.
func (p *packet) end() uint32 {
	end := p.seq + p.payload
	if p.flags&syn != 0 {
		end++
	}
	if p.flags&fin != 0 {
		end++
	}
	return end
}

// nextDirect updates the state of a direct flow for a packet of its client. Only the client's
// own numbers can prove that the client sent it: the sequence number after its last segment, or
// that segment's acknowledgement number. After lost or reordered segments both may be a little
// ahead.
func (c *conn) nextDirect(p *packet) {
	switch {
	case p.tuple.Proto == flow.UDP:
		c.state = flow.Assured
	case p.tuple.Proto == flow.SCTP:
		c.nextDirectSCTP(p)
	case p.flags&syn != 0:
		c.restart(p)
	case !c.expected[original].known:
		if p.flags&(rst|fin|ack) == ack {
			c.learn(p)
		}
	case !c.continues(p):
	case p.flags&rst != 0:
		c.state = flow.Closed
	case p.flags&ack != 0:
		c.directSegment(p)
	}
}

// restart handles a SYN. In fin-wait it begins a new connection, since the client has ended the
// old one. An established connection may still be alive; only the backend knows.
func (c *conn) restart(p *packet) {
	if !p.isFreshSYN() || c.state != flow.SynSent && c.state != flow.FinWait {
		return
	}
	c.state, c.fin = flow.SynSent, [2]bool{}
	c.expected = [2]expected{original: {true, p.end(), p.seq}}
}

// learn stores the numbers of a segment.
func (c *conn) learn(p *packet) {
	c.expected = [2]expected{original: {true, p.end(), p.seq}, reply: {true, p.ack, p.ack}}
}

// nearby is how far ahead both numbers of a segment may be. A blind sender guesses both with a
// probability of 2^-28.
const nearby = 1 << 18

// continues reports whether a segment proves that the client sent it. The data of a SYN may or
// may not have been accepted (RFC 7413). A RST must have exactly one of the two numbers (RFC 5961).
func (c *conn) continues(p *packet) bool {
	if c.state == flow.SynSent && !c.expected[reply].known {
		return c.expected[original].isInFlight(p.seq)
	}
	seqAhead, ackAhead := p.seq-c.expected[original].seq, p.ack-c.expected[reply].seq
	switch {
	case seqAhead == 0:
		return true
	case p.flags&ack == 0:
		return false
	case ackAhead == 0:
		return true
	}
	return seqAhead < nearby && ackAhead < nearby && p.flags&rst == 0
}

// directSegment handles a segment that continues the client's last one.
func (c *conn) directSegment(p *packet) {
	if c.state == flow.SynSent {
		c.state = flow.Established
	}
	if p.flags&fin != 0 && (c.state == flow.Established || c.state == flow.FinWait) {
		c.fin[original], c.state = true, flow.FinWait
	}
	if end := p.end(); int32(end-c.expected[original].seq) > 0 {
		c.expected[original].seq = end
	}
	c.expected[reply].acknowledge(p.ack)
}

// firstDirect sets the state of a direct entry that p creates. An adopted flow waits for the
// client's next segment.
func (c *conn) firstDirect(p *packet) {
	c.state = flow.SynSent
	switch {
	case p.tuple.Proto == flow.UDP:
		c.state = flow.Unreplied
	case p.isFreshSYN():
		c.restart(p)
	default:
		c.learn(p)
	}
}

// isPlausible reports whether the backend can have sent the segment of a direct flow that an ICMP
// error quotes: it lies within the largest window after what the client has acknowledged.
func (c *conn) isPlausible(seq uint32) bool {
	return !c.expected[reply].known || seq-c.expected[reply].seq < maxWindow
}

// trackDirect is track for a direct flow. A SYN that begins a new connection refreshes the
// entry.
func (d *Dataplane) trackDirect(c *conn, originalTuple flow.Tuple, p *packet) {
	before := c.state
	c.nextDirect(p)
	if c.state != before {
		d.countMoved(originalTuple, before, c.state)
		d.emit(originalTuple, c)
	}
	switch {
	case c.unproven(p, original):
		d.counters.Unproven++
	case c.state == before && p.isFreshSYN():
	case c.state != before || d.now.Sub(c.lastSeen) >= dataplane.SeenEvery:
		c.lastSeen = d.now
	}
}

// leaving is how a packet leaves towards the backend.
type leaving uint8

const (
	translated   leaving = iota
	unchanged            // only its Ethernet addresses name the backend
	encapsulated         // unchanged inside an outer header
)

// leaving returns how the client's packet leaves. If it follows an entry, that may have been opened
// under an earlier mode of the service.
func (s *service) leaving(c *conn, follows bool) leaving {
	switch {
	case follows && !c.isDirect() || !follows && !s.Mode.Direct():
		return translated
	case s.Mode.Encapsulates():
		return encapsulated
	}
	return unchanged
}

// passDirect forwards a packet of a direct flow to its backend. Only its TTL changes.
func (d *Dataplane) passDirect(p *packet, backend flow.Addr, how leaving) Outcome {
	src, dst := p.family().addr(p.ip(), p.family().src), p.family().addr(p.ip(), p.family().dst)
	p.readdress(src, dst)
	out := d.leave(p, backend, original)
	out.NextHop = backend
	if how == encapsulated {
		out.Frame = d.encapsulate(p, backend)
	}
	return out
}
