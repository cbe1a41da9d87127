package netns

import (
	"context"
	"fmt"
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
