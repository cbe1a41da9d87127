package model

import "baton/impl/flow"

// tag returns the verification tag of a direction; 0 if it is unknown, since only an INIT has tag 0.
func (c *conn) tag(dir direction) uint32 { return c.expected[dir].seq }

func (c *conn) setTag(dir direction, tag uint32) { c.expected[dir].seq = tag }

// hasTag reports whether a packet has the tag of its direction (RFC 9260 8.5).
func (c *conn) hasTag(p *packet, dir direction) bool {
	if p.reflected {
		dir = 1 - dir
	}
	return p.seq != 0 && p.seq == c.tag(dir)
}

// nextSCTP updates the state of an association for a packet in a direction. A packet only counts if its
// tag proves that its sender sees the association; see docs/conntrack.md.
func (c *conn) nextSCTP(p *packet, dir direction) {
	switch {
	case dir == reply && p.chunk == chunkCookieAck:
		c.acknowledged(p)
	case p.flags&syn != 0:
		if dir == reply && c.state == flow.SynSent && c.hasTag(p, dir) {
			c.setTag(original, p.ack)
		}
	case c.provenSCTP(p, dir):
		c.chunkOf(p, dir)
	case dir == original && p.chunk == chunkCookieEcho && (c.echoed == 0 || c.echoed != c.tag(original)):
		c.echoed = p.seq // a forged one cannot replace one with the known tag
	}
}

// acknowledged handles a COOKIE ACK. The backend acknowledges only a cookie that it has made itself
// (RFC 9260 5.1.3, 5.2.4), so both tags are confirmed, also those of a restarted association.
func (c *conn) acknowledged(p *packet) {
	c.setTag(reply, p.seq)
	if c.echoed != 0 {
		c.setTag(original, c.echoed)
	}
	c.state, c.fin, c.echoed = flow.Established, [2]bool{}, 0
}

// provenSCTP reports whether a packet's tag proves its sender. An unknown tag of the backend's packets is
// learned: an off-path attacker can forge the client's source address, but not the backend's.
func (c *conn) provenSCTP(p *packet, dir direction) bool {
	if dir == reply && c.tag(reply) == 0 && p.flags&rst == 0 {
		c.setTag(reply, p.seq)
		return true
	}
	return c.hasTag(p, dir)
}

// chunkOf handles a packet whose sender is proven, and that is neither INIT nor INIT ACK.
func (c *conn) chunkOf(p *packet, dir direction) {
	if p.endsAssociation() {
		c.state = flow.Closed
		return
	}
	if p.chunk == chunkCookieEcho && dir == original {
		c.echoed = p.seq
	}
	if c.state == flow.SynSent && dir == reply {
		c.state = flow.Established
	}
	if p.flags&fin != 0 && (c.state == flow.Established || c.state == flow.FinWait) {
		c.closing(dir)
	}
}

// endsAssociation reports whether a packet says that the association is over. A SHUTDOWN ACK answers the
// SHUTDOWN of the other side, so neither has anything left to send.
func (p *packet) endsAssociation() bool { return p.flags&rst != 0 || p.chunk == chunkShutdownAck }

// firstSCTP sets the state of an entry that p creates.
func (c *conn) firstSCTP(p *packet) {
	c.state = flow.SynSent
	c.setTag(reply, p.ack)
	if p.chunk == chunkCookieEcho {
		c.echoed = p.seq
	}
}

// quotes reports whether an ICMP error may quote a packet of a direction with this tag (RFC 9260 10). Only
// the first packet of an association has tag 0.
func (c *conn) quotes(tag uint32, dir direction) bool {
	return c.tag(dir) == 0 || c.tag(dir) == tag || tag == 0 && c.state == flow.SynSent
}

// nextDirectSCTP updates the state of a direct association for a packet of its client. The tag is learned
// from the client's first packet after its INIT or after a takeover.
func (c *conn) nextDirectSCTP(p *packet) {
	switch {
	case p.flags&syn != 0:
		if p.isFreshSYN() && (c.state == flow.SynSent || c.state == flow.FinWait) {
			c.state, c.fin, c.expected = flow.SynSent, [2]bool{}, [2]expected{reply: {seq: p.ack}}
		}
		return
	case c.tag(original) == 0 && p.flags == ack:
		c.setTag(original, p.seq)
	case !c.hasTag(p, original):
		return
	}
	if p.endsAssociation() {
		c.state = flow.Closed
		return
	}
	if c.state == flow.SynSent {
		c.state = flow.Established
	}
	if p.flags&fin != 0 && c.state != flow.Closed {
		c.fin[original], c.state = true, flow.FinWait
	}
}
