package bpf

import (
	"encoding/binary"

	"pgregory.net/rapid"

	"baton/impl/flow"
)

// withNumbers returns a copy of a TCP frame with other sequence and acknowledgment numbers.
func withNumbers(frame []byte, seq, acked uint32) []byte {
	return edited(frame, func(f []byte) []byte {
		binary.BigEndian.PutUint32(f[38:], seq)
		binary.BigEndian.PutUint32(f[42:], acked)
		f[50], f[51] = 0, 0
		pseudo := append([]byte{0, f[23], 0, 0}, f[26:34]...)
		binary.BigEndian.PutUint16(pseudo[2:], uint16(len(f)-34))
		binary.BigEndian.PutUint16(f[50:], ^sum(append(pseudo, f[34:]...)))
		return f
	})
}

// Where the two sides begin to count.
const (
	clientISN  = 1000
	backendISN = 0xfffffff0 // so that the numbers wrap
)

// conversation counts the bytes of TCP flows as their ends do: by the tuple that a
// sender writes, the number of its next byte.
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

// number gives a frame the numbers that its sender would.
func (c conversation) number(t rapid.TB, s subject, link string, frame []byte) []byte {
	tuple, flags := tupleOf(frame), int(frame[47])
	if tuple.Proto != flow.TCP {
		return frame
	}
	fromClient := link == "client0"
	if flags&syn != 0 {
		delete(c, tuple)
	}
	seq := c.next(tuple, fromClient)
	frame = withNumbers(frame, seq, c.next(partner(t, s, tuple, fromClient), !fromClient))
	switch {
	case flags&rst != 0:
	case flags&syn != 0:
		c[tuple] = seq + 1 // the receivers here take no data with a SYN
	default:
		c[tuple] = seq + uint32(len(frame)-34-20) + uint32(flags&fin)
	}
	return frame
}

// partner returns the tuple that the other end of a flow writes.
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
