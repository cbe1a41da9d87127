package bfd

import (
	"slices"

	"baton/impl/clock"
)

// Ready is what a session wants done, in this order: transmit the packets, with a
// TTL of 255, then act on the changes.
type Ready struct {
	Packets [][]byte
	Echoes  [][]byte // echo packets, to be sent so that the peer forwards them back (RFC 5881 section 4)
	Changes []Change
}

// Change is a change of bfd.SessionState.
type Change struct {
	From, To State
	Diag     Diag          // why, where the session went down; else DiagNone
	At       clock.Instant // the instant of the call that made it
}

// Ready returns what the calls since the last Ready produced. It is valid until
// the next call that takes an instant, and has to be taken before that: a session
// keeps room for a few packets only.
func (s *Session) Ready() Ready { return s.out.ready() }

// outboxLen is more than any one call produces: a Final and a packet of its own.
const outboxLen = 4

// outbox holds effects until Ready hands them out. Its buffers are reused.
type outbox struct {
	packets [outboxLen][]byte
	buffers [outboxLen][maxPacketLen]byte
	n       int

	echo     [echoLen]byte
	echoSlot [1][]byte
	echoes   int // 0 or 1

	changes []Change
	taken   bool
}

// rebase makes the packets of an outbox that was copied point into its own buffers.
func (o *outbox) rebase(from *outbox) {
	for i, p := range from.packets {
		o.packets[i] = nil
		if p != nil {
			o.packets[i] = o.buffers[i][:copy(o.buffers[i][:], p)]
		}
	}
	if from.echoSlot[0] != nil {
		o.echoSlot[0] = o.echo[:]
	}
	o.changes = append(make([]Change, 0, outboxLen), slices.Clone(from.changes)...)
}

// next returns an empty buffer for a packet. When the owner has not taken what was
// there, the newest gives way, since the new one tells the peer more.
func (o *outbox) next() []byte {
	if o.n == outboxLen {
		o.n--
	}
	return o.buffers[o.n][:0]
}

// commit adds the packet that was built in the buffer of next.
func (o *outbox) commit(packet []byte) {
	o.packets[o.n] = packet
	o.n++
}

// ready hands everything out, once.
func (o *outbox) ready() Ready {
	o.begin()
	o.taken = true
	o.echoSlot[0] = o.echo[:]
	return Ready{
		Packets: o.packets[:o.n],
		Echoes:  o.echoSlot[:o.echoes],
		Changes: o.changes,
	}
}

// begin makes room for the effects of a call, if the last ones were taken.
func (o *outbox) begin() {
	if o.taken {
		o.taken, o.n, o.echoes, o.changes = false, 0, 0, o.changes[:0]
	}
}
