package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ration is what a process gets of the processor: of each period it runs a part, and is
// stopped for the rest. It does to real-time threads what a quota of a control group does
// to others, on every kernel.
type ration struct {
	run, rest time.Duration
	stop      chan struct{}
	stopped   chan struct{}
}

// Ration has the process run for a share of each period from now on, until Unration or its
// end. A freeze goes before it. What is returned is what was seen: every thread stopped for
// the first time.
func (p *Process) Ration(ctx context.Context, share float64, period time.Duration) (string, error) {
	r := &ration{run: time.Duration(share * float64(period)), stop: make(chan struct{}), stopped: make(chan struct{})}
	r.rest = period - r.run
	p.mu.Lock()
	taken := p.ration != nil
	if !taken {
		p.ration = r
	}
	p.mu.Unlock()
	if taken {
		return "", noReceipt("starve %s: it is on a ration already", p.host.name)
	}
	began := time.Now()
	err := p.pulse(unix.SIGSTOP)
	threads := 0
	if err == nil {
		threads, err = p.awaitStopped(ctx, true)
	}
	go r.keep(p, began)
	if err != nil {
		return "", noReceipt("starve %s: %w", p.host.name, err)
	}
	return fmt.Sprintf("process %d stopped for %v of each %v: %d threads in state T", p.pid, r.rest, period, threads), nil
}

// Unration lets the process run all the time again.
func (p *Process) Unration(ctx context.Context) (string, error) {
	p.mu.Lock()
	r := p.ration
	p.ration = nil
	p.mu.Unlock()
	if r == nil {
		return "", noReceipt("feed %s: it is on no ration", p.host.name)
	}
	close(r.stop)
	<-r.stopped
	if err := p.pulse(unix.SIGCONT); err != nil {
		return "", err
	}
	if _, err := p.awaitStopped(ctx, false); err != nil {
		return "", noReceipt("feed %s: %w", p.host.name, err)
	}
	return fmt.Sprintf("process %d runs all the time", p.pid), nil
}

// rationed reports whether the process is on a ration.
func (p *Process) rationed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ration != nil
}

// keep stops the process and lets it go on in turn. The turns are counted from the
// beginning, so that one that comes late shifts no other.
func (r *ration) keep(p *Process, began time.Time) {
	defer close(r.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for at, runs := began, false; ; runs = !runs {
		sig, lasted := unix.SIGCONT, r.rest
		if runs {
			sig, lasted = unix.SIGSTOP, r.run
		}
		at = at.Add(lasted)
		timer.Reset(time.Until(at))
		select {
		case <-r.stop:
			return
		case <-p.done:
			return
		case <-timer.C:
		}
		if p.pulse(sig) != nil {
			return // it has ended, and done will say so
		}
	}
}

// pulse signals the process and its children, unless it is frozen.
func (p *Process) pulse(sig unix.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen {
		return nil
	}
	return p.signalAll(sig)
}

func (p *Process) setFrozen(frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = frozen
}

// LimitFiles lets the process open so many more files and sockets and no more. What is
// returned is the limit that the kernel reads.
func (p *Process) LimitFiles(more int) (string, error) {
	open, err := p.openFiles()
	if err != nil {
		return "", noReceipt("starve %s: %w", p.host.name, err)
	}
	// A new descriptor is the lowest that is free, and must be below the limit.
	limit := 0
	for free := 0; free <= more; limit++ {
		if !open[limit] {
			free++
		}
	}
	limit--
	if err := p.setFileLimit(uint64(limit)); err != nil {
		return "", noReceipt("starve %s: %w", p.host.name, err)
	}
	return fmt.Sprintf("process %d has %d files and can open %d more: RLIMIT_NOFILE is %d", p.pid, len(open), more, limit), nil
}

// UnlimitFiles takes LimitFiles back.
func (p *Process) UnlimitFiles() (string, error) {
	var now unix.Rlimit
	err := p.prlimit(nil, &now)
	if err == nil {
		err = p.setFileLimit(now.Max)
	}
	if err != nil {
		return "", noReceipt("feed %s: %w", p.host.name, err)
	}
	return fmt.Sprintf("process %d: RLIMIT_NOFILE is %d", p.pid, now.Max), nil
}

func (p *Process) setFileLimit(limit uint64) error {
	var now unix.Rlimit
	if err := p.prlimit(nil, &now); err != nil {
		return err
	}
	want := unix.Rlimit{Cur: limit, Max: now.Max}
	if err := p.prlimit(&want, nil); err != nil {
		return err
	}
	if err := p.prlimit(nil, &now); err != nil {
		return err
	}
	if now != want {
		return fmt.Errorf("RLIMIT_NOFILE is %d after %d was set", now.Cur, limit)
	}
	return nil
}

func (p *Process) prlimit(set, get *unix.Rlimit) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return errors.New("its process has ended")
	}
	return os.NewSyscallError("prlimit", unix.Prlimit(p.pid, unix.RLIMIT_NOFILE, set, get))
}

// openFiles are the descriptors that the process has.
func (p *Process) openFiles() (map[int]bool, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid))
	if err != nil {
		return nil, err
	}
	open := map[int]bool{}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			open[fd] = true
		}
	}
	return open, nil
}
