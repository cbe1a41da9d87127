package sim

import (
	"context"
	"fmt"
	"time"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// ration throttles a daemon's CPU: in each period it runs for run and is stopped for rest.
type ration struct {
	run, rest time.Duration
	paused    bool // the daemon is stopped by the ration, not by a freeze
}

// starve throttles daemons.
func (w *World) starve(ctx context.Context, f plan.Fault) error {
	share, period := f.Ration()
	return w.toDaemons(ctx, f, func(p *process) (string, bool) {
		if p.life == 0 {
			return noProcess, false
		}
		run := time.Duration(share * float64(period))
		p.ration = &ration{run: run, rest: period - run}
		p.pause(p.life, p.ration)
		return fmt.Sprintf("process stopped for %v of each %v", p.ration.rest, period), true
	})
}

// feed ends the throttling.
func (w *World) feed(ctx context.Context, f plan.Fault) error {
	return w.toDaemons(ctx, f, func(p *process) (string, bool) {
		r := p.ration
		if r == nil {
			return "no receipt: the process is not throttled", false
		}
		p.ration = nil
		if r.paused && p.frozen {
			p.thaw()
		}
		return "process runs all the time", true
	})
}

// pause stops the daemon for the rest of a period, unless a fault has frozen it already.
func (p *process) pause(life uint64, r *ration) {
	if p.life != life || p.ration != r {
		return
	}
	if !p.frozen {
		p.freeze()
		r.paused = true
	}
	p.w.at(p.w.now.Add(r.rest), func() { p.resume(life, r) })
}

func (p *process) resume(life uint64, r *ration) {
	if p.life != life || p.ration != r {
		return
	}
	if r.paused && p.frozen {
		p.thaw()
	}
	r.paused = false
	p.w.at(p.w.now.Add(r.run), func() { p.pause(life, r) })
}

// stepClocks moves the clocks of hosts forward.
func (w *World) stepClocks(ctx context.Context, f plan.Fault) error {
	return w.toDaemons(ctx, f, func(p *process) (string, bool) {
		before := p.clock.local(w.now)
		p.stepClock(f.Time)
		return fmt.Sprintf("the clock went from %v to %v", before, p.clock.local(w.now)), true
	})
}

// toDaemons applies a fault to the daemon of each of its nodes and records the receipts.
func (w *World) toDaemons(ctx context.Context, f plan.Fault, do func(*process) (string, bool)) error {
	for _, id := range f.Hosts {
		p := w.processOf(id)
		if err := w.awaitFault(ctx, p); err != nil {
			return err
		}
		one := f
		one.Hosts = []string{id}
		began := w.beginFault(trace.Fault{Verb: f.Verb, Target: one.Target(), Hosts: one.Hosts})
		receipt, ok := do(p)
		w.endFault(began, receipt, ok)
	}
	return nil
}
