package capture

import (
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
)

// forwarderTrack tracks which load balancer forwards the packets of one VIP at one edge, by
// the source MAC of the frames from the VIP.
type forwarderTrack struct {
	edge string
	vip  string // "" for the forwarded prefixes of an edge

	node    string // forwards now; "" before the first frame
	last    clock.Instant
	frames  uint64 // in the current turn
	changes int
}

// maxChanges limits the events of a track. Two nodes that forward at the same time can
// change it with every packet.
const maxChanges = 10_000

// carried counts a frame, and returns the event if the forwarder has changed.
func (l *forwarderTrack) carried(node string, at clock.Instant) (trace.Event, bool) {
	if node == l.node {
		l.frames++
		l.last = at
		return trace.Event{}, false
	}
	e := l.turn(node, at)
	l.node, l.last, l.frames = node, at, 1
	l.changes++
	return e, l.changes <= maxChanges
}

// turn returns the event that ends the current turn. node forwards next.
func (l *forwarderTrack) turn(node string, at clock.Instant) trace.Event {
	return trace.Event{At: at, Node: node, Kind: trace.KindForwarder,
		Forwarder: &trace.Forwarder{Edge: l.edge, VIP: l.vip, From: l.node, Last: l.last, Frames: l.frames}}
}

// end returns the event of the last turn, at its last frame: From and Node are equal.
func (l *forwarderTrack) end() (trace.Event, bool) { return l.turn(l.node, l.last), l.node != "" }

// flood recognises the copies of one frame that a switch sends out of several ports: an
// equal frame at another port within floodWindow of the first copy.
type flood struct {
	seen map[floodKey]floodMark
}

// floodKey identifies a frame by the fields that its copies share.
type floodKey struct {
	src      mac
	tuple    flow.Tuple // of a segment
	seq, ack uint32
	ipID     uint16
	sender   flow.Addr // of an ARP packet
}

type floodMark struct {
	at      clock.Instant
	ifindex int
}

// floodWindow is much longer than a switch takes to send one frame out of all ports, and
// shorter than the time between two equal frames of a sender.
const floodWindow = clock.Instant(1e6)

// maxMarks limits the memory of a flood.
const maxMarks = 4096

// copied reports whether a frame is a copy of one seen before.
func (c *flood) copied(f *frame, ifindex int, at clock.Instant) bool {
	key := floodKey{src: f.src, tuple: f.tuple, seq: f.seq, ack: f.ack, ipID: f.ipID, sender: f.senderIP}
	first, found := c.seen[key]
	if found && first.ifindex != ifindex && at-first.at < floodWindow {
		return true
	}
	if c.seen == nil || len(c.seen) >= maxMarks {
		c.seen = map[floodKey]floodMark{}
	}
	c.seen[key] = floodMark{at: at, ifindex: ifindex}
	return false
}
