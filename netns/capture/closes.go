package capture

import "baton/impl/flow"

// closes follows how connections end at an edge. Once each end has acknowledged the
// other's FIN, both have everything that was sent, and a RST harms nobody: TCP itself
// answers so where a late segment meets a socket that is gone (RFC 9293 3.10.7.1),
// which a busy machine brings about by letting an ACK and the FIN behind it change
// places. Such a RST says nothing of the system under test. Any earlier one does.
//
// A connection that ended stays known until a SYN begins another on its tuple.
type closes map[flow.Tuple]*[2]ending

// ending is how far one direction of a connection has ended.
type ending struct {
	fin   bool
	next  uint32 // the sequence number behind the FIN
	acked bool
}

// direction names the connection of a segment, and which of its two ends sent it.
func direction(t flow.Tuple) (connection flow.Tuple, from int) {
	if reverse := t.Reverse(); t.Compare(reverse) > 0 {
		return reverse, 1
	}
	return t, 0
}

// follow takes a segment.
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

// over reports that the connection of a segment had ended at both ends.
func (c closes) over(t flow.Tuple) bool {
	connection, _ := direction(t)
	ends := c[connection]
	return ends != nil && ends[0].acked && ends[1].acked
}
