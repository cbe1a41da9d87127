package cause

import (
	"fmt"

	"baton/impl/trace"
)

// overlap describes two leases at one time: who claimed before the other's lease had ended, and what
// the holder of that lease was doing.
func overlap(events []trace.Event, harm Harm) (Cause, bool) {
	p, _ := stateAt(events, harm.From)
	if len(p.nodes) != 2 {
		return Cause{}, false
	}
	holder, taker := p.nodes[0], p.nodes[1]
	if holder.since > taker.since {
		holder, taker = taker, holder
	}
	if min(holder.lease, taker.lease) <= harm.From || taker.leased < harm.From.Add(-grace) || taker.claimWhy == "" {
		return Cause{}, false
	}
	return Cause{harm.From, taker.name, fmt.Sprintf("%s claimed the role (%s) before the lease of %s had ended%s", taker.name, taker.claimWhy, holder.name, p.keptBy(holder, taker))}, true
}

// keptBy says how the holder of a lease kept it.
func (p *pair) keptBy(holder, taker *node) string {
	unheard := p.unheard(holder.name, taker.name)
	switch {
	case !holder.alive && holder.role == "":
		return ", whose process had ended"
	case !holder.alive:
		return ", which stood still"
	case unheard && holder.leased > p.last:
		return fmt.Sprintf(", which renewed it although what it sent to %s was cut off", taker.name)
	}
	return ""
}
