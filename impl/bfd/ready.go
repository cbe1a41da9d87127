package bfd

import (
	"slices"

	"baton/impl/clock"
)

// Ready holds a session's effects. The owner first transmits the packets, with a TTL of
// 255, and then acts on the changes.
type Ready struct {
	Packets [][]byte
	Echoes  [][]byte // echo packets, to be sent so that the peer forwards them back (RFC 5881 section 4)
	Changes []Change
}

// Change is a change of bfd.SessionState.
type Change struct {
	From, To State
	Diag     Diag          // why, if the session went down; else DiagNone
	At       clock.Instant // the instant of the call that made it
}

// Ready returns the effects of the calls since the last Ready. It is valid until the
// next call that takes an instant, and must be called before that: a session has room
// for only a few packets.
func (s *Session) Ready() Ready { return s.out.ready() }

// outboxLen exceeds the packets of any one call: a Final and another packet.
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

// rebase makes the packets of a copied outbox point into its own buffers.
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

// next returns an empty buffer for a packet. If the owner has not taken the queued
// packets, the newest is overwritten, since the new one is more current.
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
