// Package realtime asks the kernel and the Go runtime to let a process keep its
// heartbeat: real-time scheduling, memory that stays in place, a garbage
// collector that runs seldom. Each of these may be refused; that is logged, and
// the process goes on without. The daemon calls it at its start, and so does the
// harness for its own threads.
package realtime

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"
)

// Real-time priorities, low among the real-time ones: kernel threads and
// whatever else an operator runs in real time come first.
const (
	loopPriority    = 3
	othersPriority  = 2
	harnessPriority = 1
)

// gcPercent lets the heap grow to five times what is live between two
// collections. A node's live heap is its table, some tens of megabytes.
const gcPercent = 400

// spareProcs is how many more processors the Go scheduler is told to have than
// there are: a loop that returns from the kernel then finds one free at once even
// if every other goroutine is busy, and it is the kernel, which knows priorities,
// that decides who runs.
const spareProcs = 2

// Process prepares memory, collector and scheduler of the process. It comes first, for
// what is allocated after it.
func Process(log *slog.Logger) {
	runtime.GOMAXPROCS(runtime.NumCPU() + spareProcs)
	debug.SetGCPercent(gcPercent)
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		log.Warn("memory is not locked: page faults may delay the heartbeat", "error", err)
	}
	if err := residentProgram(); err != nil {
		log.Warn("the program is not all in memory: page faults may delay the heartbeat", "error", err)
	}
}

// Threads raises every thread of the process above ordinary work; those that the Go
// runtime starts later inherit it. It comes once everything is open: loading programs
// takes a tenth of a second of a processor, which is nothing that others should wait for.
func Threads(log *slog.Logger) {
	if err := allThreads(unix.SCHED_FIFO, othersPriority); err != nil {
		log.Warn("no real-time scheduling: a busy machine may delay the heartbeat", "error", err)
	}
}

// Harness prepares a process that watches nodes on the same machine: real-time
// scheduling below theirs, in turns, and its program in memory, so that what it
// measures is the lateness of the nodes and not its own.
func Harness() error {
	return errors.Join(residentProgram(), allThreads(unix.SCHED_RR, harnessPriority))
}

// LoopThread raises the calling thread above the process's others. The goroutine
// must have been locked to it.
func LoopThread(log *slog.Logger) {
	if err := schedule(0, unix.SCHED_FIFO, loopPriority); err != nil {
		log.Warn("the event loop has no priority of its own", "error", err)
	}
}

// allThreads gives every thread of the process a real-time priority. A thread
// that is started meanwhile by one that has not got it yet is found by the next
// round.
func allThreads(policy, priority uint32) error {
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
			if err := schedule(tid, policy, priority); err != nil && !errors.Is(err, unix.ESRCH) {
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
