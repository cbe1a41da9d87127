// Command stalls runs a command on a host that stands still again and again, as a virtual machine
// does whose hypervisor is busy: nothing else runs on the processors meanwhile. It shows whether a
// test fails because of the host.
//
//	stalls [flags] COMMAND [ARG...]
//
// The stalls end with the command, whose exit code it returns; 2 for a command line that is wrong,
// 1 if the command could not be started. It needs root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// above is a real-time priority above that of every thread of a node.
const above = 98

// plan is how long the stalls are, and how far apart.
type plan struct {
	shortest, longest time.Duration
	apart, atMost     time.Duration
	processors        int
	seed              uint64
}

func main() {
	var p plan
	flag.DurationVar(&p.shortest, "shortest", 80*time.Millisecond, "the shortest stall")
	flag.DurationVar(&p.longest, "longest", 200*time.Millisecond, "the longest stall")
	flag.DurationVar(&p.apart, "apart", 3*time.Second, "the shortest time between two stalls")
	flag.DurationVar(&p.atMost, "at-most", 15*time.Second, "the longest time between two stalls")
	flag.IntVar(&p.processors, "processors", runtime.NumCPU(), "how many processors stand still")
	flag.Uint64Var(&p.seed, "seed", 1, "seed of the times")
	flag.Parse()
	if why := p.wrong(); why != "" || flag.NArg() == 0 {
		if why == "" {
			why = "no command to run"
		}
		fmt.Fprintln(os.Stderr, "stalls:", why)
		os.Exit(2)
	}
	os.Exit(run(p, flag.Args()))
}

// wrong says what is wrong with a plan, "" if nothing is.
func (p plan) wrong() string {
	switch {
	case p.shortest <= 0 || p.longest < p.shortest:
		return fmt.Sprintf("stalls of %s to %s: the shortest is above 0 and not above the longest", p.shortest, p.longest)
	case p.longest > time.Second:
		return fmt.Sprintf("a stall of %s: the kernel lets no thread run above all others for longer than a second", p.longest)
	case p.apart <= 0 || p.atMost < p.apart:
		return fmt.Sprintf("stalls %s to %s apart: the shortest time is above 0 and not above the longest", p.apart, p.atMost)
	case p.processors < 1 || p.processors > runtime.NumCPU():
		return fmt.Sprintf("%d processors: this host has %d", p.processors, runtime.NumCPU())
	}
	return ""
}

// run runs the command beside the stalls and returns its exit code.
func run(p plan, args []string) int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	blocks := make([]*blocker, p.processors)
	for i := range blocks {
		b, err := newBlocker(i)
		if err != nil {
			fmt.Fprintln(os.Stderr, "stalls:", err)
			return 1
		}
		blocks[i] = b
	}
	told := make(chan string, 1)
	go func() {
		stalls, whole := p.stall(ctx, blocks)
		told <- fmt.Sprintf("the host stood still %d times, for %s in all", stalls, whole.Round(time.Millisecond))
	}()
	command := exec.Command(args[0], args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := command.Run()
	stop()
	fmt.Fprintln(os.Stderr, "stalls:", <-told)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stalls:", err)
		return 1
	}
	return 0
}

// stall stops the processors together, until ctx ends, and returns how often and for how long.
func (p plan) stall(ctx context.Context, blocks []*blocker) (stalls int, whole time.Duration) {
	draw := rand.New(rand.NewPCG(p.seed, 0))
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(draw.Int64N(int64(most-least)+1))
	}
	for {
		select {
		case <-ctx.Done():
			return stalls, whole
		case <-time.After(between(p.apart, p.atMost)):
		}
		took := between(p.shortest, p.longest)
		var all sync.WaitGroup
		for _, b := range blocks {
			all.Add(1)
			b.block <- request{took, &all}
		}
		all.Wait()
		stalls, whole = stalls+1, whole+took
	}
}

// blocker is a thread that takes one processor when it is asked to.
type blocker struct{ block chan request }

// request asks for a stall. Its time counts from when the thread runs: on a busy host that is later than when it was
// asked, and a stall must not be shorter for it.
type request struct {
	took time.Duration
	done *sync.WaitGroup
}

// newBlocker starts a thread for a processor, above all other threads.
func newBlocker(processor int) (*blocker, error) {
	b, ready := &blocker{make(chan request)}, make(chan error)
	go func() {
		runtime.LockOSThread()
		var only unix.CPUSet
		only.Set(processor)
		err := errors.Join(unix.SchedSetaffinity(0, &only), neverPreempted())
		if err == nil {
			err = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: above}, 0)
		}
		if ready <- err; err != nil {
			return
		}
		for r := range b.block {
			spin(r.took)
			r.done.Done()
		}
	}()
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("no thread on processor %d above all others: %w", processor, err)
	}
	return b, nil
}

// neverPreempted keeps the Go runtime's signal from the calling thread. With it the runtime takes a goroutine off its
// thread every 10 ms, and the processor is free until it is back.
func neverPreempted() error {
	const bits = unsafe.Sizeof(unix.Sigset_t{}.Val[0]) * 8
	var urgent unix.Sigset_t
	urgent.Val[uintptr(unix.SIGURG-1)/bits] |= 1 << (uintptr(unix.SIGURG-1) % bits)
	return unix.PthreadSigmask(unix.SIG_BLOCK, &urgent, nil)
}

// spin keeps its thread busy. It calls nothing that looks whether the runtime wants the goroutine to yield, as
// time.Now does.
//
//go:nosplit
func spin(took time.Duration) {
	for began := monotonic(); monotonic()-began < int64(took); {
	}
}

//go:nosplit
func monotonic() int64 {
	var now unix.Timespec
	syscall.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&now)), 0)
	return now.Sec*int64(time.Second) + now.Nsec
}
