package netns

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// throttle limits a process's CPU time: it runs for a part of each period and is stopped
// for the rest. It affects real-time threads too, unlike a cgroup quota, and works on every
// kernel.
type throttle struct {
	run, rest time.Duration
	stop      chan struct{}
	stopped   chan struct{}
}

// Throttle lets the process run only for a share of each period, until Unthrottle or its
// end. A freeze overrides it. The receipt is that every thread was stopped for the first
// time.
func (p *Process) Throttle(ctx context.Context, share float64, period time.Duration) (string, error) {
	r := &throttle{run: time.Duration(share * float64(period)), stop: make(chan struct{}), stopped: make(chan struct{})}
	r.rest = period - r.run
	p.mu.Lock()
	taken := p.throttle != nil
	if !taken {
		p.throttle = r
	}
	p.mu.Unlock()
	if taken {
		return "", noReceipt("starve %s: it is already throttled", p.host.name)
	}
	began := time.Now()
	err := p.pulse(unix.SIGSTOP)
	threads := 0
	if err == nil {
		threads, err = p.awaitStopped(ctx, true)
	}
	go r.loop(p, began)
	if err != nil {
		return "", noReceipt("starve %s: %w", p.host.name, err)
	}
	return fmt.Sprintf("process %d stopped for %v of each %v: %d threads in state T", p.pid, r.rest, period, threads), nil
}

// Unthrottle lets the process run all the time again.
func (p *Process) Unthrottle(ctx context.Context) (string, error) {
	p.mu.Lock()
	r := p.throttle
	p.throttle = nil
	p.mu.Unlock()
	if r == nil {
		return "", noReceipt("feed %s: it is not throttled", p.host.name)
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

func (p *Process) throttled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.throttle != nil
}

// loop stops and continues the process in turn. Each turn is timed from the beginning, so
// that a late one does not shift the next.
func (r *throttle) loop(p *Process, began time.Time) {
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
			return // the process has ended
		}
	}
}

// pulse signals the process and its children unless it is frozen.
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
