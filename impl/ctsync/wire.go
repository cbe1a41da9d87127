package ctsync

import (
	"encoding/binary"
	"fmt"

	"baton/impl/flow"
)

// Versions of the protocol. The second byte of every message is the version agreed on for
// the stream.
const (
	// Version is the newest version.
	Version = 8
	// VersionMin is the oldest supported version.
	VersionMin = 1

	versionCapacity = 2 // the first in which capacities are exchanged
	versionIPv6     = 3 // the first that carries IPv6 flows
	versionOffer    = 5 // the first in which a sink offers entries that its source lacks
	versionSCTP     = 6 // the first that carries flows of SCTP
	versionAcross   = 7 // the first that carries flows whose backend is of the other family
)

// MaxMessage is the maximum length of a message in bytes.
const MaxMessage = 64 << 10

// MaxType is the highest type byte, the first of a message, that belongs to this
// protocol. Types above it are the caller's own and must not be given to Receive.
const MaxType = 0x7f

// The types of messages. The sink sends Hello, Ack, Need, Repair and Offer, the source the others.
const (
	typeHello   = 0x01 // what the sink has, and from which source it wants the rest
	typeBegin   = 0x02 // a round begins: a resumption or a snapshot
	typeDelta   = 0x03 // consecutive changes
	typeRows    = 0x04 // rows of a snapshot or of a bucket under repair
	typeMark    = 0x05 // count and digest at a sequence number; the first of a round ends its snapshot
	typeAck     = 0x06 // what the sink has applied
	typeNeed    = 0x07 // the sink found itself unequal and asks for the buckets' digests
	typeBuckets = 0x08 // digests of all buckets at a sequence number
	typeRepair  = 0x09 // the buckets that the sink found unequal
	typeOffer   = 0x0a // entries of the sink that the snapshot did not hold; from version 5 on
	typeWorked  = 0x0b // an offer was processed; likewise
)

var typeNames = map[byte]string{
	typeHello: "hello", typeBegin: "begin", typeDelta: "delta", typeRows: "rows", typeMark: "mark",
	typeAck: "ack", typeNeed: "need", typeBuckets: "buckets", typeRepair: "repair", typeOffer: "offer", typeWorked: "worked",
}

// Lengths of repeated elements of a message.
const (
	deleteLen = 1 + flow.TupleLen4
	rowLen    = 1 + 2*flow.TupleLen4 + 4 // an IPv4 row, the shortest
	rowLen6   = 1 + 2*flow.TupleLen6 + 4
)

// Bits of the state byte of a change.
const (
	ipv6   = 0x80 // the tuples are of IPv6
	across = 0x40 // the backend is of the other family, and IPv4 addresses in the reply tuple are mapped
)

// order is the byte order of every field.
var order = binary.BigEndian

// header begins a message in a buffer of its own with room for size bytes more.
func header(kind, version byte, size int) []byte {
	return append(make([]byte, 0, 2+size), kind, version)
}

// appendChange writes state and family, original, and for all but deletions reply and
// lifetime.
func appendChange(b []byte, c *change) []byte {
	first := byte(c.state)
	if !c.original.Is4() {
		first |= ipv6
	}
	if !c.isAcross() {
		b = flow.AppendTuple(append(b, first), c.original)
		if c.deleted() {
			return b
		}
		return order.AppendUint32(flow.AppendTuple(b, c.reply), c.remaining)
	}
	b = flow.AppendTuple(append(b, first|across), c.original)
	return order.AppendUint32(flow.AppendTuple6(b, c.reply), c.remaining)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// A reader decodes a message. After the first failure every read returns zero.
type reader struct {
	rest    []byte
	version byte
	err     error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.rest = nil
}

func (r *reader) take(n int) []byte {
	if len(r.rest) < n {
		r.fail("%d bytes missing", n-len(r.rest))
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return order.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return order.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return order.Uint64(b)
	}
	return 0
}

func (r *reader) bool() bool {
	v := r.uint8()
	if v > 1 {
		r.fail("flag %d is neither 0 nor 1", v)
	}
	return v == 1
}

// change reads one change; a row is a change that may not be a deletion.
func (r *reader) change(c *change, row bool) {
	first := r.uint8()
	length := flow.TupleLen4
	if first&ipv6 != 0 && r.version >= versionIPv6 {
		first &^= ipv6
		length = flow.TupleLen6
	}
	goesAcross := first&across != 0 && r.version >= versionAcross
	if goesAcross {
		first &^= across
	}
	*c = change{state: flow.State(first)}
	switch {
	case c.deleted() && !row && !goesAcross:
		c.original = r.tuple(length)
	case c.state.Valid():
		c.original = r.tuple(length)
		if goesAcross {
			c.reply = r.replyAcross(&c.original)
		} else {
			c.reply = r.tuple(length)
		}
		c.remaining = r.uint32()
		if c.reply.Proto != c.original.Proto {
			r.fail("%s replies by %s", c.original, c.reply)
		}
	default:
		r.fail("no such flow state: %d", first)
	}
	if p := c.original.Proto; !p.Balanced() || p == flow.SCTP && r.version < versionSCTP {
		r.fail("%s is not balanced", p)
	}
}

// tuple reads a tuple. Its length gives its family.
func (r *reader) tuple(length int) (t flow.Tuple) {
	b := r.take(length)
	if b == nil {
		return t
	}
	t = flow.TupleFrom(b)
	if is4 := length == flow.TupleLen4; t.Src.Is4() != is4 || t.Dst.Is4() != is4 {
		r.fail("%s is marked as an IPv6 flow", t)
	}
	return t
}

// replyAcross reads the reply tuple of a flow whose backend is of the other family.
func (r *reader) replyAcross(original *flow.Tuple) (t flow.Tuple) {
	b := r.take(flow.TupleLen6)
	if b == nil {
		return t
	}
	t = flow.TupleFrom(b)
	if !isAcross(original, &t) || t.Dst.Is4() != original.Is4() || !t.Unclaimed() {
		r.fail("%s replies by %s, which is marked as across families", original, t)
	}
	return t
}

// count reads how many items of at least size bytes follow, and checks that they can.
func (r *reader) count(limit, size int) int {
	n := int(r.uint16())
	if n > limit {
		r.fail("%d items, more than %d", n, limit)
	} else if n*size > len(r.rest) {
		r.fail("%d items of %d bytes in %d", n, size, len(r.rest))
	}
	if r.err != nil {
		return 0
	}
	return n
}

// end checks that nothing is left.
func (r *reader) end() error {
	if len(r.rest) != 0 {
		r.fail("%d bytes too many", len(r.rest))
	}
	return r.err
}
