// Package hostclock reads the clock of the nodes, the time axis of every trace, and
// translates the CLOCK_REALTIME stamps that the kernel puts on packets to it.
// The generators and the capture call it; it keeps no state beyond a Translator.
package hostclock

import (
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
)

// Now reads the clock on which traces count.
func Now() clock.Instant { return boottime.Now() }

// read cannot fail: the clock ids used here exist on every Linux and the
// pointer is valid.
func read(id int32) int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(id, &ts)
	return ts.Nano()
}

// refreshAfter bounds the age of a Translator's offset. CLOCK_REALTIME may be
// slewed by 500 ppm: 50 µs in this time.
const refreshAfter = 100 * time.Millisecond

// Translator converts between CLOCK_REALTIME and the clock of traces. Not safe for
// concurrent use. The zero value is ready.
type Translator struct {
	offset  int64 // CLOCK_REALTIME minus the other
	sampled clock.Instant
}

// Instant translates a CLOCK_REALTIME stamp of the recent past.
func (t *Translator) Instant(realtime int64) clock.Instant {
	t.refresh()
	return clock.Instant(realtime - t.offset)
}

// Realtime translates an instant to nanoseconds since 1970.
func (t *Translator) Realtime(at clock.Instant) int64 {
	t.refresh()
	return int64(at) + t.offset
}

func (t *Translator) refresh() {
	if now := Now(); t.sampled == 0 || now.Sub(t.sampled) > refreshAfter {
		t.offset, t.sampled = sampleOffset(), now
	}
}

// sampleOffset reads one clock between two readings of the other and keeps the
// tightest of a few samples, so that being descheduled in between does not
// shift every stamp that follows.
func sampleOffset() int64 {
	var offset int64
	best := int64(-1)
	for range 5 {
		before := read(boottime.ID)
		realtime := read(unix.CLOCK_REALTIME)
		after := read(boottime.ID)
		if width := after - before; best < 0 || width < best {
			best, offset = width, realtime-before-width/2
		}
	}
	return offset
}

// ThreadCPU is the processor time that a thread of this process has used, 0 if
// there is no such thread.
func ThreadCPU(tid int) time.Duration {
	// The id of a thread's CPU-time clock is the complement of its own, then the
	// bits for "of a thread" and "as the scheduler accounts": pthread_getcpuclockid(3).
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^tid<<3|4|2), &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
