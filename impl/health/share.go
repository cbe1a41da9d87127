package health

import (
	"net/netip"
	"time"

	"baton/impl/clock"
)

// Share is a backend's part of the new flows: Weight divided by the sum of all.
type Share struct {
	Backend netip.AddrPort
	Weight  int
}

// tenths is the number of steps of a slow start.
const tenths = 10

// Shares returns the backends that get new flows, in the configuration's order. It is empty
// if no backend serves.
func (p *Pool) Shares() []Share {
	slow := false
	for i := range p.backends {
		slow = slow || p.backends[i].share(p.now, p.check.SlowStart) < tenths && p.backends[i].state(p.now).Serves()
	}
	var shares []Share
	for i := range p.backends {
		b := &p.backends[i]
		if !b.state(p.now).Serves() {
			continue
		}
		weight := b.Weight
		if slow {
			weight *= b.share(p.now, p.check.SlowStart)
		}
		shares = append(shares, Share{Backend: b.Addr, Weight: weight})
	}
	return shares
}

// share returns a backend's share in tenths of its weight.
func (b *backend) share(now clock.Instant, slowStart time.Duration) int {
	if b.starts == clock.Never {
		return tenths
	}
	return min(1+int(now.Sub(b.starts)*tenths/max(slowStart, 1)), tenths)
}

// nextTenth returns when a backend's share next grows.
func (b *backend) nextTenth(now clock.Instant, slowStart time.Duration) clock.Instant {
	if b.starts == clock.Never {
		return clock.Never
	}
	n := int(now.Sub(b.starts)*tenths/max(slowStart, 1)) + 1
	return b.starts.Add((slowStart*time.Duration(n) + tenths - 1) / tenths)
}
