package sim

import (
	"context"
	"fmt"

	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// upgrade stops daemons gracefully and starts them with another version. As in the namespaces the
// stop and the start are recorded as faults too.
func (w *World) upgrade(ctx context.Context, f plan.Fault) error {
	for _, id := range f.Hosts {
		p := w.processOf(id)
		if err := w.awaitFault(ctx, p); err != nil {
			return err
		}
		one := f
		one.Hosts = []string{id}
		began := w.beginFault(trace.Fault{Verb: f.Verb, Target: one.Target(), Hosts: one.Hosts})
		life := p.life
		if err := w.stop(ctx, plan.Fault{Verb: fault.Stop, Hosts: one.Hosts}); err != nil {
			return err
		}
		if err := w.awaitFault(ctx, p); err != nil {
			return err
		}
		if version := f.Version(); version > 0 {
			p.speaks = uint8(version)
		}
		w.instantFault(fault.Restore, id, p.restore)
		w.endFault(began, fmt.Sprintf("a daemon that offers version %d", p.speaks), p.life != life)
	}
	return nil
}
