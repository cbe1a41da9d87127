// Package fingerprint hashes what is essential of a state, so that whoever walks states
// can tell whether it has seen one. A part of a node adds its own fields, beside which its
// method stands; two states with equal fingerprints count as one.
//
// What is essential is said by how a field is added: instants as seen from now and
// rounded, counters by their order alone, everything else as it is. The package is pure.
package fingerprint

import (
	"cmp"
	"slices"
	"time"

	"baton/impl/clock"
)

// Hash takes in a state. New makes one.
type Hash struct {
	sum     uint64
	now     clock.Instant
	step    time.Duration
	counted []counted
}

// counted is a counter of which only the order among its class is essential.
type counted struct {
	class Class
	value uint64
	place int
}

// Class is a family of counters that are compared with each other, on both nodes.
type Class uint8

// The classes of counters.
const (
	Epoch Class = iota
	Incarnation
	Nonce    // hellos, rounds and sessions of connection sync
	Seq      // changes of a table, states of a node
	Stream   // ids of streams
	Revision // revisions of the arbiter's record
)

const (
	hashOffset = 14695981039346656037
	hashPrime  = 1099511628211
)

// New returns an empty hash of a state at now. Instants that are near are rounded to step.
func New(now clock.Instant, step time.Duration) *Hash {
	return &Hash{sum: hashOffset, now: now, step: step}
}

// Now is the instant of the state.
func (h *Hash) Now() clock.Instant { return h.now }

// Number adds a number as it is.
func (h *Hash) Number(v uint64) {
	h.sum = (h.sum ^ v) * hashPrime
	h.sum ^= h.sum >> 29
}

// Int adds a signed number as it is.
func (h *Hash) Int(v int) { h.Number(uint64(v)) }

// Flag adds what is so or not.
func (h *Hash) Flag(b bool) {
	v := uint64(0)
	if b {
		v = 1
	}
	h.Number(v)
}

// Text adds a text as it is.
func (h *Hash) Text(s string) {
	for i := range len(s) {
		h.Number(uint64(s[i]))
	}
	h.Number(uint64(len(s)) | 1<<32)
}

// Counter adds a counter: what matters is which of its class is larger, and whether it
// is 0.
func (h *Hash) Counter(class Class, v uint64) {
	if v == 0 {
		h.Number(0)
		return
	}
	h.counted = append(h.counted, counted{class, v, len(h.counted)})
}

// Instant adds a point in time as seen from now. That it has passed is all that matters
// of one that has.
func (h *Hash) Instant(t clock.Instant) { h.instant(t, 0) }

// Remembered adds an instant that matters after it has passed: how long ago it was, in
// steps of memory, up to ten of them.
func (h *Hash) Remembered(t clock.Instant, memory time.Duration) { h.instant(t, memory) }

func (h *Hash) instant(t clock.Instant, memory time.Duration) {
	const far, long = 300 * time.Millisecond, 500 * time.Millisecond
	d := t.Sub(h.now)
	switch {
	case t == clock.Never:
		h.Number(1 << 40)
	case d <= 0 && memory > 0:
		h.Number(1<<41 | uint64(min(-d/memory, 10)))
	case d <= 0:
		h.Number(1 << 42)
	case d < far:
		h.Number(1<<43 | uint64(d/h.step))
	default:
		h.Number(1<<44 | uint64(min(d/long, 10)))
	}
}

// Set adds items of which the order does not matter, each by a hash of its own, in which
// counters do not count.
func (h *Hash) Set(items func(add func(func(*Hash)))) {
	sum := uint64(0)
	items(func(item func(*Hash)) {
		one := New(h.now, h.step)
		item(one)
		sum += one.sum
	})
	h.Number(sum)
}

// Sum closes the hash: counters enter by their rank among their class. With absolute,
// they enter by their values too: frames are on their way, and name them.
func (h *Hash) Sum(absolute bool) uint64 {
	slices.SortFunc(h.counted, func(a, b counted) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.value, b.value), cmp.Compare(a.place, b.place))
	})
	rank := uint64(0)
	for i, c := range h.counted {
		switch {
		case i == 0 || c.class != h.counted[i-1].class:
			rank = 0
		case c.value != h.counted[i-1].value:
			rank++
		}
		h.Number(uint64(c.place)<<8 | rank)
		if absolute {
			h.Number(c.value)
		}
	}
	return h.sum
}
