package traffic

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// init keeps the process's first thread for the main goroutine. The runtime ends a
// locked thread with its goroutine, all but this one, which it parks for good: a loop
// that had run on it would go on holding the namespace that it was in last.
func init() { runtime.LockOSThread() }

// waitingThreads is how many threads of the harness sit in system calls of their
// own most of the time: two loops here, the capture, the watchdog.
const waitingThreads = 4

// spareProcs makes room in the Go scheduler for them. A thread that waits in a
// system call keeps its P until the runtime takes it away, up to 20 ms later; with
// no more Ps than processors another thread that returns from its own wait would
// stand still for so long. It is the kernel, which knows priorities, that should
// decide who runs.
func spareProcs() {
	if want := runtime.NumCPU() + waitingThreads; runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
}

// raiseThread puts the calling thread, which is locked, above the others of the
// process: by one real-time priority where it has one, else by its nice value.
// Without CAP_SYS_NICE it stays as it is, and its lateness tells.
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

// ErrFiles is wrapped by the error of traffic for which the machine grants too few open files.
var ErrFiles = errors.New("too few open files")

// raiseFileLimit makes room for n more file descriptors.
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
