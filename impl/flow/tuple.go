package flow

import (
	"bytes"
	"cmp"
	"fmt"
)

// Tuple is a conntrack tuple: one direction of a flow as a packet shows it.
// Ports are in host byte order.
type Tuple struct {
	Src, Dst         Addr
	SrcPort, DstPort uint16
	Proto            Proto
}

func (t Tuple) String() string {
	return fmt.Sprintf("%s %s>%s", t.Proto, t.Src.WithPort(t.SrcPort), t.Dst.WithPort(t.DstPort))
}

// Is4 reports whether the tuple is of IPv4. Both addresses are of one family, except in the reply tuple
// of a flow to a backend of the other family.
func (t *Tuple) Is4() bool { return t.Dst.Is4() }

// Reverse returns the tuple of a packet that travels the other way.
func (t Tuple) Reverse() Tuple {
	return Tuple{Src: t.Dst, Dst: t.Src, SrcPort: t.DstPort, DstPort: t.SrcPort, Proto: t.Proto}
}

// Compare orders tuples, for outputs that must not depend on map order.
func (t Tuple) Compare(u Tuple) int {
	if c := bytes.Compare(t.Src[:], u.Src[:]); c != 0 {
		return c
	}
	if c := bytes.Compare(t.Dst[:], u.Dst[:]); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(t.SrcPort, u.SrcPort), cmp.Compare(t.DstPort, u.DstPort), cmp.Compare(t.Proto, u.Proto))
}

// Lengths of an encoded tuple.
const (
	TupleLen4 = 2*4 + portsLen
	TupleLen6 = 2*16 + portsLen

	portsLen = 2 + 2 + 1 // and the protocol
)

// AppendTuple writes a tuple in the sync wire format: source, destination, big-endian ports,
// protocol; the addresses have the length of their family.
func AppendTuple(b []byte, t Tuple) []byte {
	b = append(b, t.Src.Bytes()...)
	b = append(b, t.Dst.Bytes()...)
	return append(b, byte(t.SrcPort>>8), byte(t.SrcPort), byte(t.DstPort>>8), byte(t.DstPort), byte(t.Proto))
}

// AppendTuple6 is AppendTuple with 16-byte addresses; IPv4 addresses are mapped.
func AppendTuple6(b []byte, t Tuple) []byte {
	b = append(b, t.Src[:]...)
	b = append(b, t.Dst[:]...)
	return append(b, byte(t.SrcPort>>8), byte(t.SrcPort), byte(t.DstPort>>8), byte(t.DstPort), byte(t.Proto))
}

// TupleFrom is the inverse of AppendTuple and AppendTuple6. The family follows from the length, which is
// TupleLen4 or TupleLen6.
func TupleFrom(b []byte) (t Tuple) {
	rest := b[len(b)-portsLen:]
	if len(b) == TupleLen4 {
		t.Src, t.Dst = IPv4From([4]byte(b)), IPv4From([4]byte(b[4:]))
	} else {
		t.Src, t.Dst = Addr(b), Addr(b[16:])
	}
	t.SrcPort, t.DstPort = uint16(rest[0])<<8|uint16(rest[1]), uint16(rest[2])<<8|uint16(rest[3])
	t.Proto = Proto(rest[4])
	return t
}
