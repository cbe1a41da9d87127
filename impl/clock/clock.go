// Package clock defines the only time type of baton's core: an Instant of a monotonic
// clock. It reads no clock. The daemon passes instants of CLOCK_BOOTTIME (package
// boottime), which the eBPF programs read too. The simulator passes instants of virtual
// time.
package clock

import (
	"math"
	"time"
)

// Instant is a point in time of a node's monotonic clock, in nanoseconds since an origin
// that each clock has for itself. Instants of different clocks cannot be compared.
type Instant int64

// Never is later than any other instant. A Deadline of Never asks for no timer.
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
