package ha

import (
	"testing"
	"time"

	"baton/impl/clock"
)

func TestHoldDownLengthensWhileFlapping(t *testing.T) {
	const delay = 500 * time.Millisecond
	h := NewHold(0, delay)
	if got := h.Ends(); got != clock.Instant(delay) {
		t.Fatalf("first hold ends at %d, want %d", got, delay)
	}
	now := clock.Instant(delay)
	for _, factor := range []int{2, 4, 8, 16, 16} {
		h.Restart(now)
		if got, want := h.Ends().Sub(now), time.Duration(factor)*delay; got != want {
			t.Errorf("hold after a flap: %v, want %v", got, want)
		}
		if !h.Damped(now) || h.Damped(h.Ends()) {
			t.Errorf("factor %d: damped %v at its beginning, %v at its end", factor, h.Damped(now), h.Damped(h.Ends()))
		}
		now = h.Ends()
	}
	now = now.Add(flapWindow * HoldFactorMax * delay)
	h.Restart(now)
	if got := h.Ends().Sub(now); got != delay {
		t.Errorf("hold after a calm time: %v, want %v", got, delay)
	}
	if h.Damped(now) {
		t.Error("damped after a calm time")
	}
}

// A flap is a restart within flapWindow of the delays, as long as they are by then.
func TestARestartIsAFlapWithinTheWindowOfTheDelayThatRan(t *testing.T) {
	const delay = time.Second
	for _, factor := range []time.Duration{1, 2, HoldFactorMax} {
		window := flapWindow * factor * delay
		for after, want := range map[time.Duration]time.Duration{window - 1: min(2*factor, HoldFactorMax) * delay, window: delay} {
			h := Hold{delay: delay, factor: int(factor)}
			h.Restart(clock.Instant(after))
			if got := h.Ends().Sub(clock.Instant(after)); got != want {
				t.Errorf("delay of %v restarted after %v: %v, want %v", factor*delay, after, got, want)
			}
			if got := h.EndsUndamped().Sub(clock.Instant(after)); got != delay {
				t.Errorf("delay of %v restarted after %v: undamped %v, want the configured %v", factor*delay, after, got, delay)
			}
		}
	}
}

func TestBootsIsTrueUntilTheFirstRestart(t *testing.T) {
	h := NewHold(0, time.Second)
	if !h.Boots() {
		t.Error("a new delay is not that of the boot")
	}
	h.Restart(clock.Instant(time.Hour))
	if h.Boots() {
		t.Error("a restarted delay is still that of the boot")
	}
}
