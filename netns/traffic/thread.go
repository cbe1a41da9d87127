package traffic

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// init keeps the process's first thread for the main goroutine. The runtime ends a locked
// thread with its goroutine, but parks the first thread. A loop on that thread would keep
// its last namespace forever.
func init() { runtime.LockOSThread() }

// waitingThreads is the number of harness threads that spend most of their time in system
// calls: two loops, the capture and the watchdog.
const waitingThreads = 4

// spareProcs raises GOMAXPROCS for them. A thread that waits in a system call keeps its P
// until the runtime retakes it, up to 20 ms later. With only as many Ps as CPUs, another
// thread that returns from its wait would stall for that time. The kernel, which knows
// priorities, should decide which thread runs.
func spareProcs() {
	if want := runtime.NumCPU() + waitingThreads; runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
}

// raiseThread raises the calling, locked thread above the process's other threads: by one
// real-time priority if it has one, else by its nice value. Without CAP_SYS_NICE nothing
// changes, and its lateness is reported.
func raiseThread() {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return
	}
	if attr.Policy == unix.SCHED_FIFO || attr.Policy == unix.SCHED_RR {
		attr.Priority++
	} else {
		attr.Nice = min(attr.Nice, raisedNice)
	}
	_ = unix.SchedSetAttr(0, attr, 0)
}

const raisedNice = -10

// ErrFiles is wrapped by errors of traffic that needs more open files than the machine
// allows.
var ErrFiles = errors.New("too few open files")

// raiseFileLimit raises the limit by n file descriptors.
func raiseFileLimit(n int) error {
	need := uint64(n) + 1024 // for the rest of the process
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	if limit.Cur >= need {
		return nil
	}
	limit.Cur, limit.Max = need, max(limit.Max, need)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("traffic: %w: raise the limit to %d: %w", ErrFiles, need, err)
	}
	return nil
}
