package sim

import (
	"context"
	"fmt"
	"time"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// ration is what a daemon gets of the processor: of each period it runs a part, and stands
// still for the rest.
type ration struct {
	run, rest time.Duration
	paused    bool // it is what stands the daemon still
}

// starve puts daemons on a ration.
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

// feed takes them off it.
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

// pause begins the rest of a period. A daemon that is frozen stays so.
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

// toDaemons does something at once to the daemon of each node of a fault.
func (w *World) toDaemons(ctx context.Context, f plan.Fault, do func(*process) (string, bool)) error {
	for _, id := range f.Hosts {
		p := w.processOf(id)
		if err := w.turn(ctx, p); err != nil {
			return err
		}
		one := f
		one.Hosts = []string{id}
		began := w.begun(trace.Fault{Verb: f.Verb, Target: one.Target(), Hosts: one.Hosts})
		receipt, ok := do(p)
		w.proven(began, receipt, ok)
	}
	return nil
}
