package interop_test

import (
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// stalls returns how long at most the host delayed, while f ran, the processes that measure
// a Detection Time: this process, by its own ticks, and the threads of the measuring
// process, by the kernel's scheduler statistics.
func stalls(pid int, f func()) time.Duration {
	stop, done := make(chan struct{}), make(chan time.Duration)
	go func() { done <- ticks(stop) }()
	before := waited(pid)
	f()
	worst := time.Duration(0)
	for task, after := range waited(pid) {
		worst = max(worst, after-before[task])
	}
	close(stop)
	return max(worst, <-done)
}

// ticks returns the maximum distance of two ticks of a millisecond.
func ticks(stop <-chan struct{}) (worst time.Duration) {
	tick := time.NewTicker(ms)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-stop:
			return max(worst, time.Since(last))
		case <-tick.C:
			worst = max(worst, time.Since(last))
			last = time.Now()
		}
	}
}

// waited returns how long each thread of a process was runnable without running so far:
// only of threads with a raised priority, if there are any, because one of them runs the
// session. A process that is gone has none.
func waited(pid int) map[int]time.Duration {
	all, urgent := map[int]time.Duration{}, map[int]time.Duration{}
	tasks, err := procfs.AllThreads(pid)
	if err != nil {
		return nil
	}
	for _, task := range tasks {
		s, err := task.Schedstat()
		if err != nil {
			continue
		}
		all[task.PID] = time.Duration(s.WaitingNanoseconds)
		if attr, err := unix.SchedGetAttr(task.PID, 0); err == nil && attr.Policy == unix.SCHED_FIFO {
			urgent[task.PID] = all[task.PID]
		}
	}
	if len(urgent) > 0 {
		return urgent
	}
	return all
}
