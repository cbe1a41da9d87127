package bfdio

import (
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
)

// oldest is the greatest age that a stamp is believed. A socket buffer holds a few
// hundred packets; what seems older waited while the machine was suspended, or was
// stamped before somebody set the clock. Either way it proves nothing of now, and it is
// too old for any session.
const oldest = 10 * time.Second

// arrival converts a stamp of CLOCK_REALTIME to CLOCK_BOOTTIME, given what both read
// now. A packet cannot have come later than now: then the clock was set back meanwhile,
// and now is what is left to say, as it is without a stamp.
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
		panic("bfdio: read CLOCK_REALTIME: " + err.Error()) // the kernel has it
	}
	return t.Nano()
}
