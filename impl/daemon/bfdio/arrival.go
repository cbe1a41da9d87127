package bfdio

import (
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
)

// oldest is how long a packet may have waited. A socket buffer holds a few hundred
// packets, and what seems older has been stamped before somebody set the clock.
const oldest = 10 * time.Second

// arrival converts a stamp of CLOCK_REALTIME to CLOCK_MONOTONIC, given what both read
// now. A packet cannot have come later than now, or long before: then the clock was
// set meanwhile, and now is what is left to say.
func arrival(stamp, realtime int64, now clock.Instant) clock.Instant {
	if age := time.Duration(realtime - stamp); age > 0 && age <= oldest {
		return now.Add(-age)
	}
	return now
}

// read reads a clock, in nanoseconds.
func read(id int32) int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		panic("bfdio: read clock: " + err.Error()) // the kernel has both
	}
	return t.Nano()
}
