package bfd

import (
	"math/bits"
	"math/rand/v2"
	"time"

	"baton/impl/clock"
)

// pacer decides when the next periodic packet is due. The jitter of each interval
// is stored as a fraction, so that a newly negotiated interval applies at once, counted
// from the last packet.
type pacer struct {
	start   clock.Instant // when the first one is due
	started bool
	last    clock.Instant
	jitter  uint64 // the fraction, of 2^64
}

// due returns when the next packet is due at a given interval.
func (p *pacer) due(interval time.Duration, detectMult uint8) clock.Instant {
	if !p.started {
		return p.start
	}
	return p.last.Add(shorten(interval, detectMult, p.jitter))
}

// transmitted notes that a packet was sent.
func (p *pacer) transmitted(now clock.Instant, random *rand.PCG) {
	p.started, p.last, p.jitter = true, now, random.Uint64()
}

// shorten applies jitter to a transmit interval: the result is 75 to 100 % of it, or
// 75 to 90 % with a Detect Mult of 1 (RFC 5880 section 6.8.7). The fraction is of 2^64.
func shorten(interval time.Duration, detectMult uint8, fraction uint64) time.Duration {
	least, most := interval-interval/4, interval
	if detectMult == 1 {
		most = interval / 10 * 9
	}
	more, _ := bits.Mul64(uint64(most-least)+1, fraction)
	return least + time.Duration(more)
}
