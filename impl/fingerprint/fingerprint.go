// Package fingerprint hashes a node's state, so that the explorer recognizes a state that it
// has already visited. Each part of a node adds its own fields, in a method next to them. Two
// states with equal fingerprints count as one.
//
// The method that adds a field determines which differences count: instants are taken
// relative to now and rounded, of counters only the order counts, and all other values
// count exactly. The package is pure.
package fingerprint

import (
	"cmp"
	"slices"
	"time"

	"baton/impl/clock"
)

// Hash collects the fields of a state. Create it with New.
type Hash struct {
	sum      uint64
	now      clock.Instant
	step     time.Duration
	counters []counter
}

// counter is a counter that waits for Sum to find its rank in its class.
type counter struct {
	class Class
	value uint64
	index int // in Hash.counters, as they were added
}

// Class is a set of counters whose order counts, over both nodes.
type Class uint8

// The classes of counters.
const (
	Epoch Class = iota
	Incarnation
	Nonce    // of hellos, rounds and sessions of connection sync
	Seq      // of changes of a table and of states of a node
	Stream   // IDs of sync streams
	Revision // of the arbiter's record
)

const (
	hashOffset = 14695981039346656037
	hashPrime  = 1099511628211
)

// New returns an empty hash of a state at now. Instants in the near future are rounded to step.
func New(now clock.Instant, step time.Duration) *Hash {
	return &Hash{sum: hashOffset, now: now, step: step}
}

// Now returns the instant of the state.
func (h *Hash) Now() clock.Instant { return h.now }

// Number adds an unsigned number.
func (h *Hash) Number(v uint64) {
	h.sum = (h.sum ^ v) * hashPrime
	h.sum ^= h.sum >> 29
}

// Int adds a signed number.
func (h *Hash) Int(v int) { h.Number(uint64(v)) }

// Flag adds a boolean.
func (h *Hash) Flag(b bool) {
	v := uint64(0)
	if b {
		v = 1
	}
	h.Number(v)
}

// Text adds a string.
func (h *Hash) Text(s string) {
	for i := range len(s) {
		h.Number(uint64(s[i]))
	}
	h.Number(uint64(len(s)) | 1<<32)
}

// Counter adds a counter. Only its rank in its class counts, and whether it is 0.
func (h *Hash) Counter(class Class, v uint64) {
	if v == 0 {
		h.Number(0)
		return
	}
	h.counters = append(h.counters, counter{class, v, len(h.counters)})
}

// Instant adds an instant relative to now. All past instants count as equal.
func (h *Hash) Instant(t clock.Instant) { h.instant(t, 0) }

// Remembered adds an instant whose age counts: in steps of memory, up to ten of them.
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

// Set adds items whose order does not count. Each item has its own hash, which ignores counters
// other than 0.
func (h *Hash) Set(items func(add func(func(*Hash)))) {
	sum := uint64(0)
	items(func(item func(*Hash)) {
		one := New(h.now, h.step)
		item(one)
		sum += one.sum
	})
	h.Number(sum)
}

// Sum adds the counters by their ranks and returns the hash. With absolute it adds their
// values too, which matter while frames that contain them are in flight.
func (h *Hash) Sum(absolute bool) uint64 {
	slices.SortFunc(h.counters, func(a, b counter) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.value, b.value), cmp.Compare(a.index, b.index))
	})
	rank := uint64(0)
	for i, c := range h.counters {
		switch {
		case i == 0 || c.class != h.counters[i-1].class:
			rank = 0
		case c.value != h.counters[i-1].value:
			rank++
		}
		h.Number(uint64(c.index)<<8 | rank)
		if absolute {
			h.Number(c.value)
		}
	}
	return h.sum
}
