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

// watchdogThreshold is the shortest stall that is recorded. No claim tolerates less, so a
// shorter one explains nothing.
const watchdogThreshold = 10 * time.Millisecond

// watchdogPeriod is how long the watchdog sleeps at a time. A shorter stall can go unseen.
const watchdogPeriod = 5 * time.Millisecond

// Watchdog detects stalls of the host: a machine that did not run the harness did not run
// the nodes either, so measurements from that time say nothing about them.
type Watchdog struct {
	stop atomic.Bool
	done chan struct{}
}

// StartWatchdog sleeps watchdogPeriod repeatedly on its own OS thread, with the harness's
// priority, and calls report for each wake-up that is more than threshold late. report must
// return quickly.
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
