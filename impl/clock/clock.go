// Package clock defines the one notion of time that baton's core knows: an
// Instant on a monotonic axis. It reads no clock. The daemon passes instants of
// CLOCK_BOOTTIME (package boottime), which the eBPF programs read too; the
// simulator passes virtual ones.
package clock

import (
	"math"
	"time"
)

// Instant is a point on a node's monotonic clock, in nanoseconds since an
// origin that only that clock knows. Instants of different clocks do not compare.
type Instant int64

// Never is later than every instant that occurs. A Deadline of Never asks for no timer.
const Never Instant = math.MaxInt64

// Add returns the instant d after t. Never stays Never.
func (t Instant) Add(d time.Duration) Instant {
	if t == Never {
		return Never
	}
	return t + Instant(d)
}

// Sub returns the time from u to t.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// Before reports whether t is earlier than u.
func (t Instant) Before(u Instant) bool { return t < u }

// After reports whether t is later than u.
func (t Instant) After(u Instant) bool { return t > u }

// Earliest returns the earliest of the given instants, Never if there are none.
func Earliest(instants ...Instant) Instant {
	earliest := Never
	for _, t := range instants {
		earliest = min(earliest, t)
	}
	return earliest
}
