package sim

import (
	"time"

	"baton/impl/clock"
)

// hostClock is the monotonic clock of one host. It has its own origin and drifts. It may step
// forward, as after a suspension of the host, but never back.
type hostClock struct {
	base  clock.Instant // reading at true time zero
	drift int64         // parts per billion by which it is fast
}

// local returns the reading at a true instant.
func (c *hostClock) local(at clock.Instant) clock.Instant {
	return c.base + at + clock.Instant(int64(at)/1000*c.drift/1_000_000)
}

// at returns the first true instant at which the clock reads t or later. at(clock.Never) is
// clock.Never.
func (c *hostClock) at(t clock.Instant) clock.Instant {
	if t == clock.Never {
		return t
	}
	at := t - c.base
	for range 2 {
		at += t - c.local(at) // converges by a factor of the drift
	}
	for c.local(at) < t {
		at++
	}
	for c.local(at-1) >= t {
		at--
	}
	return at
}

// step moves the clock forward.
func (c *hostClock) step(by time.Duration) { c.base = c.base.Add(by) }
