// Package realtime asks the kernel and the Go runtime for punctuality: real-time
// scheduling, locked memory and a garbage collector that runs rarely. Each may be refused;
// then it is logged and the process continues without it. The daemon calls it at its start,
// and the harness for its own threads.
package realtime

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Real-time priorities, at the low end: kernel threads and an operator's other real-time
// processes come first.
const (
	loopPriority    = 3
	othersPriority  = 2
	harnessPriority = 1
)

// gcPercent lets the heap grow to five times the live data between two collections. A
// node's live heap is its table, some tens of megabytes.
const gcPercent = 400

// spareProcs is how much GOMAXPROCS exceeds the number of CPUs: a loop that returns from
// the kernel then finds a free P at once even if every other goroutine is busy, and the
// kernel, which knows priorities, decides who runs.
const spareProcs = 2

// Process sets up memory, collector and scheduler of the process. Call it first, so that it
// covers later allocations.
func Process(log *slog.Logger) {
	runtime.GOMAXPROCS(runtime.NumCPU() + spareProcs)
	debug.SetGCPercent(gcPercent)
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		log.Warn("memory is not locked: page faults may delay the heartbeat", "error", err)
	}
	if err := residentProgram(); err != nil {
		log.Warn("the program is not fully in memory: page faults may delay the heartbeat", "error", err)
	}
}

// Threads gives every thread of the process real-time priority; threads that the Go runtime
// starts later inherit it. Call it when everything is open: loading programs takes a tenth
// of a second of CPU, which must not preempt others.
func Threads(log *slog.Logger) {
	if err := allThreads(unix.SCHED_FIFO, othersPriority); err != nil {
		log.Warn("no real-time scheduling: a busy machine may delay the heartbeat", "error", err)
	}
}

// Harness sets up a process that observes nodes on the same machine: real-time round-robin
// scheduling below theirs, and its program in memory, so that it measures the nodes'
// lateness and not its own.
//
// end gives the priority up once the last of several harnesses has ended: the work after a run is not
// urgent, and a computing thread delays others of its priority for 100 ms at a time.
func Harness() (end func(), err error) {
	harnesses.Add(1)
	end = func() {
		if harnesses.Add(-1) == 0 {
			_ = allThreads(unix.SCHED_NORMAL, 0) // lowering the priority is always permitted
		}
	}
	return end, errors.Join(residentProgram(), allThreads(unix.SCHED_RR, harnessPriority))
}

var harnesses atomic.Int32

// Ordinarily runs f with the calling thread at the ordinary priority. A process that f starts inherits
// it. The goroutine must be locked to the thread.
func Ordinarily(f func() error) error {
	was, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return fmt.Errorf("realtime: %w", err)
	}
	if err := schedule(0, unix.SCHED_NORMAL, 0); err != nil {
		return err
	}
	return errors.Join(f(), unix.SchedSetAttr(0, was, 0))
}

// LowerProcess gives a running process the ordinary priority. A node starts processes this way, not under
// Ordinarily: the thread that starts a process waits until it has executed its program, which takes long at the
// ordinary priority of a busy machine, and the Go runtime waits for the thread.
func LowerProcess(pid int) error { return lower(pid) }

// Lower gives the calling process the ordinary priority: threads that were started before LowerProcess have inherited
// the node's.
func Lower() error { return eachThread(lower) }

// lower keeps the nice value of a thread that is nicer than others, since lowering it needs a privilege.
func lower(tid int) error {
	inverse, err := unix.Getpriority(unix.PRIO_PROCESS, tid) // 20 - nice
	if err != nil {
		return fmt.Errorf("realtime: nice value of thread %d: %w", tid, err)
	}
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: int32(max(20-inverse, 0))}
	if err := unix.SchedSetAttr(tid, &attr, 0); err != nil {
		return fmt.Errorf("realtime: give thread %d the ordinary priority: %w", tid, err)
	}
	return nil
}

// LoopThread raises the calling thread above the process's others. The goroutine must be
// locked to it.
func LoopThread(log *slog.Logger) {
	if err := schedule(0, unix.SCHED_FIFO, loopPriority); err != nil {
		log.Warn("the event loop has no raised priority", "error", err)
	}
}

// allThreads schedules every thread of the process.
func allThreads(policy, priority uint32) error {
	return eachThread(func(tid int) error { return schedule(tid, policy, priority) })
}

// eachThread calls f with every thread of the process. It repeats until no round finds a new one, since a thread
// may start another meanwhile.
func eachThread(f func(tid int) error) error {
	for done := map[string]bool{}; ; {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("realtime: list threads: %w", err)
		}
		fresh := 0
		for _, task := range tasks {
			if done[task.Name()] {
				continue
			}
			done[task.Name()] = true
			fresh++
			tid, err := strconv.Atoi(task.Name())
			if err != nil {
				return fmt.Errorf("realtime: thread %q: %w", task.Name(), err)
			}
			if err := f(tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if fresh == 0 {
			return nil
		}
	}
}

func schedule(tid int, policy, priority uint32) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy, Priority: priority}
	if err := unix.SchedSetAttr(tid, &attr, 0); err != nil {
		return fmt.Errorf("realtime: schedule thread %d with real-time priority %d: %w", tid, priority, err)
	}
	return nil
}
