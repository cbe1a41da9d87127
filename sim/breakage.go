package sim

import (
	"context"
	"fmt"

	"baton/impl/dataplane/faulty"
	"baton/scenarios/plan"
)

// breakNodes injects the fault into the nodes' dataplanes.
func (w *World) breakNodes(ctx context.Context, f plan.Fault) error {
	return w.toDaemons(ctx, f, func(p *process) (string, bool) {
		if p.core == nil {
			return noProcess, false
		}
		w.damaged = w.damaged || f.Verb+" "+f.Way == string(faulty.MapDamaged)
		seen, err := p.table.Break(faulty.Fault(f.Verb + " " + f.Way))
		if err != nil {
			return "no receipt: " + err.Error(), false
		}
		return seen.Error(), true
	})
}

// mendNodes ends the dataplane faults that breakNodes injected.
func (w *World) mendNodes(ctx context.Context, f plan.Fault) error {
	return w.toDaemons(ctx, f, func(p *process) (string, bool) {
		if p.core == nil {
			return noProcess, false
		}
		ended, err := p.table.Mend()
		if err != nil || len(ended) == 0 {
			return fmt.Sprintf("no receipt: %d faults ended: %v", len(ended), err), false
		}
		return fmt.Sprintf("no longer: %v", ended), true
	})
}
