// Package hostclock reads the nodes' clock, which is the time axis of every trace, and
// converts the kernel's CLOCK_REALTIME packet timestamps to it. The generators and the
// capture call it; only a Translator has state.
package hostclock

import (
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
)

// Now reads the clock of the traces.
func Now() clock.Instant { return boottime.Now() }

// read cannot fail: the clock ids exist on every Linux and the pointer is valid.
func read(id int32) int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(id, &ts)
	return ts.Nano()
}

// refreshAfter is the maximum age of a Translator's offset. In this time CLOCK_REALTIME can
// be slewed by 500 ppm, 50 µs.
const refreshAfter = 100 * time.Millisecond

// Translator converts between CLOCK_REALTIME and the clock of traces. It is not safe for
// concurrent use. The zero value is ready.
type Translator struct {
	offset  int64 // CLOCK_REALTIME minus the trace clock
	sampled clock.Instant
}

// Instant converts a recent CLOCK_REALTIME timestamp.
func (t *Translator) Instant(realtime int64) clock.Instant {
	t.refresh()
	return clock.Instant(realtime - t.offset)
}

// Realtime converts an instant to nanoseconds since 1970.
func (t *Translator) Realtime(at clock.Instant) int64 {
	t.refresh()
	return int64(at) + t.offset
}

func (t *Translator) refresh() {
	if now := Now(); t.sampled == 0 || now.Sub(t.sampled) > refreshAfter {
		t.offset, t.sampled = sampleOffset(), now
	}
}

// sampleOffset reads one clock between two readings of the other and keeps the tightest of
// a few samples: being descheduled in between would shift every later timestamp.
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

// ThreadCPU returns the CPU time of a thread of this process, 0 if there is no such thread.
func ThreadCPU(tid int) time.Duration {
	// A thread's CPU-time clock id is the complement of its tid, shifted, with the bits for
	// "per thread" and "scheduler accounting": pthread_getcpuclockid(3).
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^tid<<3|4|2), &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
