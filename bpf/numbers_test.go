package bpf

import (
	"encoding/binary"

	"pgregory.net/rapid"

	"baton/impl/flow"
)

// withNumbers returns a copy of a TCP frame with other sequence and acknowledgment numbers.
func withNumbers(frame []byte, seq, acked uint32) []byte {
	return edited(frame, func(f []byte) []byte {
		segment := f[partsOf(f).l4:]
		binary.BigEndian.PutUint32(segment[4:], seq)
		binary.BigEndian.PutUint32(segment[8:], acked)
		segment[16], segment[17] = 0, 0
		binary.BigEndian.PutUint16(segment[16:], ^sum(append(pseudoOf(f, byte(flow.TCP), len(segment)), segment...)))
		return f
	})
}

// The initial sequence numbers of the two sides.
const (
	clientISN  = 1000
	backendISN = 0xfffffff0 // so that the numbers wrap
)

// conversation tracks the sequence numbers of TCP flows: the number of a sender's next
// byte, by the tuple of its packets.
type conversation map[flow.Tuple]uint32

func (c conversation) next(t flow.Tuple, fromClient bool) uint32 {
	if n, ok := c[t]; ok {
		return n
	}
	if fromClient {
		return clientISN
	}
	return backendISN
}

// number gives a frame the numbers that its sender would use.
func (c conversation) number(t rapid.TB, s subject, link string, frame []byte) []byte {
	tuple, l4 := tupleOf(frame), partsOf(frame).l4
	if tuple.Proto != flow.TCP {
		return frame
	}
	flags := int(frame[l4+13])
	fromClient := link == "client0"
	if flags&syn != 0 {
		delete(c, tuple)
	}
	seq := c.next(tuple, fromClient)
	frame = withNumbers(frame, seq, c.next(partner(t, s, tuple, fromClient), !fromClient))
	switch {
	case flags&rst != 0:
	case flags&syn != 0:
		c[tuple] = seq + 1 // the receivers accept no data in a SYN
	default:
		c[tuple] = seq + uint32(len(frame)-l4-20) + uint32(flags&fin)
	}
	return frame
}

// partner returns the tuple of the packets of a flow's other end.
func partner(t rapid.TB, s subject, tuple flow.Tuple, fromClient bool) (other flow.Tuple) {
	err := s.Dump(func(e flow.Entry) bool {
		if fromClient && e.Original == tuple {
			other = e.Reply
		} else if !fromClient && e.Reply == tuple {
			other = e.Original
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return other
}
