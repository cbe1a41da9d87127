package ha

import (
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// Hold is the recovery delay that a node waits after boot, fault or demotion
// before it may claim. A node that flaps waits longer: each restart within
// flapWindow delays of the one before doubles the delay, up to HoldFactorMax
// times the configured one (the damping that RFC 5882 section 3.1 asks clients of BFD for).
type Hold struct {
	delay  time.Duration
	factor int
	began  clock.Instant
	again  bool // it was restarted since the boot
}

// Fingerprint adds the delay to a state's hash.
func (h *Hold) Fingerprint(hash *fingerprint.Hash) {
	hash.Number(uint64(h.delay))
	hash.Int(h.factor)
	hash.Remembered(h.began, 500*time.Millisecond)
	hash.Flag(h.again)
}

const flapWindow = 10

// HoldFactorMax bounds how much longer than configured the delay of a flapping node is.
const HoldFactorMax = 16

// NewHold starts the delay at boot.
func NewHold(now clock.Instant, delay time.Duration) Hold {
	return Hold{delay: delay, factor: 1, began: now}
}

// Restart starts the delay anew.
func (h *Hold) Restart(now clock.Instant) {
	if now.Sub(h.began) < flapWindow*h.length() {
		h.factor = min(2*h.factor, HoldFactorMax)
	} else {
		h.factor = 1
	}
	h.began, h.again = now, true
}

// Boots reports whether the delay is that of the boot: no fault or demotion has restarted it.
func (h *Hold) Boots() bool { return !h.again }

// Damped reports whether the delay still runs at now and is longer than configured.
func (h *Hold) Damped(now clock.Instant) bool { return h.factor > 1 && now < h.Ends() }

// EndsUndamped returns the instant from which on the configured delay has run.
func (h *Hold) EndsUndamped() clock.Instant { return h.began.Add(h.delay) }

// Ends returns the instant from which on the delay has run.
func (h *Hold) Ends() clock.Instant { return h.began.Add(h.length()) }

func (h *Hold) length() time.Duration { return time.Duration(h.factor) * h.delay }
