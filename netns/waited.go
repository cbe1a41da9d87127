package netns

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// first is what takes the process's trace. It tells how long the process has waited as the first event comes.
func (p *Process) first(cfg ProcessConfig) func(trace.Event) {
	if cfg.Started == nil {
		return cfg.Trace
	}
	var once sync.Once
	return func(e trace.Event) {
		once.Do(func() {
			now := hostclock.Now()
			cfg.Started(now, p.waited(now))
		})
		cfg.Trace(e)
	}
}

// waited returns for how long, at most, the process could not run between its start and now because other programs had
// the processors: what its threads waited for one (/proc/PID/task/TID/schedstat, Documentation/scheduler/sched-stats.rst),
// but no longer than the time in which none of them ran. It is 0 once the process is gone.
func (p *Process) waited(now clock.Instant) time.Duration {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.pid))
	if err != nil {
		return 0
	}
	var ran, waited time.Duration
	for _, task := range tasks {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", p.pid, task.Name()))
		fields := strings.Fields(string(stat)) // nanoseconds on a processor, nanoseconds runnable without one, slices
		if err != nil || len(fields) < 2 {
			continue // the thread ended meanwhile
		}
		on, _ := strconv.ParseInt(fields[0], 10, 64)
		off, _ := strconv.ParseInt(fields[1], 10, 64)
		ran, waited = ran+time.Duration(on), waited+time.Duration(off)
	}
	return max(0, min(waited, now.Sub(p.started)-ran))
}
