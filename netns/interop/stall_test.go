package interop_test

import (
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// stalls returns for how long the host kept from running, while f ran, what a Detection
// Time is measured by: at worst this process, as its own ticks tell, and the threads of
// the process that measures, as the kernel's scheduler does.
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

// ticks returns the longest time by which a tick of a millisecond came apart.
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

// waited returns for how long each thread of a process was ready and did not run so
// far: of those that have a priority of their own, where there are any, because one of
// them has the session then. A process that is gone has none.
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
