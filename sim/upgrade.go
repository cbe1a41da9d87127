package sim

import (
	"context"
	"fmt"

	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// upgrade has daemons end in order and start in another version. Its parts are faults of
// their own, as in the real world.
func (w *World) upgrade(ctx context.Context, f plan.Fault) error {
	for _, id := range f.Hosts {
		p := w.processOf(id)
		if err := w.turn(ctx, p); err != nil {
			return err
		}
		one := f
		one.Hosts = []string{id}
		began := w.begun(trace.Fault{Verb: f.Verb, Target: one.Target(), Hosts: one.Hosts})
		life := p.life
		if err := w.stop(ctx, plan.Fault{Verb: fault.Stop, Hosts: one.Hosts}); err != nil {
			return err
		}
		if err := w.turn(ctx, p); err != nil {
			return err
		}
		if version := f.Version(); version > 0 {
			p.speaks = uint8(version)
		}
		w.faulted(fault.Restore, id, p.restore)
		w.proven(began, fmt.Sprintf("a daemon that offers version %d", p.speaks), p.life != life)
	}
	return nil
}
