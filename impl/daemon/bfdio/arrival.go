package bfdio

import (
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
)

// oldest is the maximum plausible age of a timestamp. A socket buffer holds a few hundred
// packets; an older packet waited while the machine was suspended, or was stamped before
// the clock was set. Either way it says nothing about now, and is too old for any session.
const oldest = 10 * time.Second

// arrival converts a CLOCK_REALTIME timestamp to CLOCK_BOOTTIME, given the current values
// of both. A packet cannot have arrived in the future; then the clock was set back, and the
// result is now, as without a timestamp.
func arrival(stamp, realtime int64, now clock.Instant) clock.Instant {
	if stamp == 0 {
		return now
	}
	return now.Add(-min(max(time.Duration(realtime-stamp), 0), oldest))
}

// realtimeNow reads CLOCK_REALTIME, in nanoseconds.
func realtimeNow() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &t); err != nil {
		panic("bfdio: read CLOCK_REALTIME: " + err.Error()) // every kernel has this clock
	}
	return t.Nano()
}
