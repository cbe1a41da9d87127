package model

import (
	"baton/impl/clock"
	"baton/impl/flow"
)

// conn is one flow; its key is the original tuple.
type conn struct {
	reply    flow.Tuple
	state    flow.State
	origin   flow.Origin
	lastSeen clock.Instant
	// What the state's next move depends on.
	replySeen             bool // the backend has answered the SYN
	finOriginal, finReply bool
}

// direction is that of a packet within its flow.
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

// isFreshSYN reports the first segment of a connection.
func (p *packet) isFreshSYN() bool {
	return p.tuple.Proto == flow.TCP && p.flags&(syn|ack|rst|fin) == syn
}

// isMidFlow reports a segment of an established connection, from which one can be adopted.
func (p *packet) isMidFlow() bool {
	return p.tuple.Proto == flow.TCP && p.flags&(syn|ack|rst) == ack
}

// opens reports the first packet of a flow.
func (p *packet) opens() bool { return p.tuple.Proto == flow.UDP || p.isFreshSYN() }

// next moves the conn as a packet in the given direction does.
func (c *conn) next(p *packet, dir direction) {
	if p.tuple.Proto == flow.UDP {
		if dir == reply {
			c.state = flow.Assured
		}
		return
	}
	if p.flags&rst != 0 {
		c.state = flow.Closed
		return
	}
	switch c.state {
	case flow.SynSent:
		c.opening(p, dir)
	case flow.Established, flow.FinWait:
		c.closing(p, dir)
	}
}

// opening completes the handshake with the client's ACK of the backend's SYN-ACK:
// a flood of SYNs earns no long timeout. A backend that sends anything but a
// SYN-ACK has seen that ACK, even if this node has not.
func (c *conn) opening(p *packet, dir direction) {
	isSYN, isACK := p.flags&syn != 0, p.flags&ack != 0
	switch {
	case dir == reply && isSYN && isACK:
		c.replySeen = true
	case !isSYN && isACK && (dir == reply || c.replySeen):
		c.state = flow.Established
		c.closing(p, dir)
	}
}

func (c *conn) closing(p *packet, dir direction) {
	if p.flags&fin == 0 {
		return
	}
	if dir == original {
		c.finOriginal = true
	} else {
		c.finReply = true
	}
	c.state = flow.FinWait
	if c.finOriginal && c.finReply {
		c.state = flow.Closed
	}
}

// first gives the conn the state of an entry that p, in the original direction,
// creates. One that is adopted waits for its backend's word as a new one does: a flood
// of segments of no connection earns no long timeout.
func (c *conn) first(p *packet) {
	c.state = flow.SynSent
	if p.tuple.Proto == flow.UDP {
		c.state = flow.Unreplied
	}
}

// reopens reports that p begins a new connection on the tuple of one that is over.
func (c *conn) reopens(p *packet) bool {
	return p.isFreshSYN() && (c.state == flow.Closed || c.state == flow.FinWait)
}

// track marks the entry as seen and moves its state.
func (d *Dataplane) track(c *conn, originalTuple flow.Tuple, p *packet, dir direction) {
	before := c.state
	c.lastSeen = d.now
	c.next(p, dir)
	if c.state != before {
		d.emit(originalTuple, c)
	}
}
