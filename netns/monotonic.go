package netns

import (
	"golang.org/x/sys/unix"

	"baton/impl/clock"
)

// Now reads CLOCK_MONOTONIC: the time axis of a real run's trace, which the nodes,
// their eBPF programs and the harness share.
func Now() clock.Instant {
	var t unix.Timespec
	// It cannot fail: the clock exists on every kernel, and the pointer is good.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return clock.Instant(t.Nano())
}
