package sim

import (
	"context"
	"fmt"

	"baton/impl/health"
	"baton/scenarios/plan"
)

// drain makes daemons send no new flows to the numbered backend of each service.
func (w *World) drain(ctx context.Context, f plan.Fault) error {
	number, deadline := f.Drained()
	return w.toDaemons(ctx, f, func(p *process) (string, bool) {
		if p.core == nil || p.frozen {
			return p.unanswered(), false
		}
		p.startPools()
		for i, s := range p.tables.Services {
			if number > len(s.Backends) {
				return fmt.Sprintf("%s refused: service %s has no backend %d", p.id, s.Name, number), true
			}
			if p.checks.pools[i].Status(p.w.now)[number-1].Follows {
				return p.id + " refused: it follows the MASTER", true
			}
		}
		for i, s := range p.tables.Services {
			p.checks.pools[i].Step(p.w.now, health.Drain{Backend: addrPort(s.Backends[number-1]), For: deadline})
		}
		p.turnChecks(p.life)
		return fmt.Sprintf("%s drains backend %d", p.id, number), true
	})
}
