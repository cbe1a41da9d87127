package capture

import (
	"baton/impl/flow"
	"baton/impl/sctp"
)

// closes tracks how connections end at an edge. Once each end has acknowledged the other's
// FIN, both have received everything, and a RST does no harm. TCP itself sends one when a
// late segment meets a closed socket (RFC 9293 3.10.7.1), which happens when a busy machine
// reorders an ACK and a FIN. Such a RST says nothing about the system under test; an earlier
// one does. An SCTP ABORT is treated as a RST.
//
// An ended connection is remembered until a SYN opens another one with its tuple.
type closes map[flow.Tuple]*[2]ending

// ending is the state of one direction of a connection.
type ending struct {
	fin   bool
	next  uint32 // the sequence number after the FIN
	acked bool
}

// direction returns the connection of a segment and which of its ends sent it.
func direction(t flow.Tuple) (connection flow.Tuple, from int) {
	if reverse := t.Reverse(); t.Compare(reverse) > 0 {
		return reverse, 1
	}
	return t, 0
}

// follow processes a segment.
func (c closes) follow(f *frame) {
	connection, from := direction(f.tuple)
	if f.flags&(tcpSYN|tcpACK) == tcpSYN {
		delete(c, connection)
		return
	}
	ends := c[connection]
	if f.flags&tcpFIN != 0 {
		if ends == nil {
			ends = new([2]ending)
			c[connection] = ends
		}
		ends[from].fin, ends[from].next = true, f.next
	}
	if ends != nil && f.flags&tcpACK != 0 {
		other := &ends[1-from]
		other.acked = other.acked || other.fin && int32(f.ack-other.next) >= 0
	}
}

// followChunk processes a packet of SCTP. A SHUTDOWN ACK answers the other end's SHUTDOWN, so both have
// received everything (RFC 9260 9.2).
func (c closes) followChunk(f *frame) {
	connection, _ := direction(f.tuple)
	switch f.chunk {
	case sctp.Init:
		delete(c, connection)
	case sctp.ShutdownAck:
		c[connection] = &[2]ending{{acked: true}, {acked: true}}
	}
}

// over reports whether both ends of a segment's connection have ended.
func (c closes) over(t flow.Tuple) bool {
	connection, _ := direction(t)
	ends := c[connection]
	return ends != nil && ends[0].acked && ends[1].acked
}
