package sim

import (
	"context"
	"fmt"

	"baton/impl/clock"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// certificate is what a daemon authenticates with on the sync link.
type certificate struct {
	foreign bool          // signed by a CA that the peer does not trust
	end     clock.Instant // expiry; clock.Never if it does not expire
}

var good = certificate{end: clock.Never}

// passes reports whether two daemons accept each other's certificates.
func (c certificate) passes(other certificate, now clock.Instant) bool {
	return !c.foreign && !other.foreign && now <= min(c.end, other.end)
}

// certify replaces the nodes' certificates. A daemon reads its certificate at start only.
func (w *World) certify(ctx context.Context, f plan.Fault) error {
	return w.toDaemons(ctx, f, func(p *process) (string, bool) {
		at := w.now
		switch p.certificate = good; f.Way {
		case fault.CertForeign:
			p.certificate.foreign = true
		case fault.CertExpires:
			p.certificate.end = w.now.Add(fault.CertLife)
			at = p.certificate.end + 1
		}
		passes := p.certificate.passes(good, at)
		return fmt.Sprintf("in %v the peer's check passes: %t", at.Sub(w.now), passes), passes == (f.Way == "")
	})
}
