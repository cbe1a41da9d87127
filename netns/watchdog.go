package netns

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// watchdogThreshold is the shortest stall that is put on record. A shorter one explains
// nothing: no claim allows less.
const watchdogThreshold = 10 * time.Millisecond

// watchdogPeriod is how long the watchdog sleeps at a time: a stall shorter than
// that can go unseen.
const watchdogPeriod = 5 * time.Millisecond

// Watchdog notices when the host stands still: a machine that did not run the
// harness for a while did not run the nodes either, and what was measured around
// then says nothing about them.
type Watchdog struct {
	stop atomic.Bool
	done chan struct{}
}

// StartWatchdog sleeps watchdogPeriod again and again on an OS thread of its own,
// scheduled like the rest of the harness, and calls report with each waking that
// comes more than threshold too late, and with its instant. report must return
// quickly.
func StartWatchdog(threshold time.Duration, report func(clock.Instant, trace.Stall)) *Watchdog {
	w := &Watchdog{done: make(chan struct{})}
	go w.run(threshold, report)
	return w
}

func (w *Watchdog) run(threshold time.Duration, report func(clock.Instant, trace.Stall)) {
	defer close(w.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for !w.stop.Load() {
		start := hostclock.Now()
		due := unix.NsecToTimespec(int64(start.Add(watchdogPeriod)))
		for errors.Is(unix.ClockNanosleep(boottime.ID, unix.TIMER_ABSTIME, &due, nil), unix.EINTR) {
		}
		woke := hostclock.Now()
		if late := woke.Sub(start) - watchdogPeriod; late > threshold {
			report(woke, trace.Stall{Took: trace.Dur(late)})
		}
	}
}

// Stop ends the watchdog. No report comes after it has returned.
func (w *Watchdog) Stop() {
	w.stop.Store(true)
	<-w.done
}
