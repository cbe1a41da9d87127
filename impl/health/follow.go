package health

import (
	"net/netip"
	"slices"
	"time"

	"baton/impl/clock"
)

// A pool can follow another node's pool: that pool's decisions about backends hold here
// too. Its own probes continue, so that it can decide by itself at any moment. It then
// starts from the states that it followed, and its probes before count: a takeover itself
// changes no backend's state.

// Decision is a pool's decision about a backend.
type Decision struct {
	Backend  netip.AddrPort
	Down     bool
	Drains   bool
	Drain    time.Duration // time to the deadline of the drain
	Starting bool
	Slow     time.Duration // time to the end of the slow start
}

// Aged returns decisions with their times reduced by age.
func Aged(decisions []Decision, age time.Duration) []Decision {
	aged := slices.Clone(decisions)
	for i := range aged {
		aged[i].Drain, aged[i].Slow = max(aged[i].Drain-age, 0), max(aged[i].Slow-age, 0)
	}
	return aged
}

// decided is the part of a Decision that does not change with time.
type decided struct {
	backend        netip.AddrPort
	down, drains   bool
	drain, started clock.Instant
}

// Decisions returns the pool's decision about every backend.
func (p *Pool) Decisions(now clock.Instant) []Decision {
	list := make([]Decision, len(p.backends))
	for i := range p.backends {
		b := &p.backends[i]
		list[i] = Decision{Backend: b.Addr, Down: b.down, Drains: b.drains}
		if b.drains {
			list[i].Drain = until(now, b.drain)
		}
		if b.starts != clock.Never {
			list[i].Starting, list[i].Slow = true, until(now, b.starts.Add(p.check.SlowStart))
		}
	}
	return list
}

// sayDecisions emits Decided if the decisions have changed.
func (p *Pool) sayDecisions() {
	list := make([]decided, len(p.backends))
	for i := range p.backends {
		b := &p.backends[i]
		list[i] = decided{b.Addr, b.down, b.drains, b.drain, b.starts}
	}
	if !slices.Equal(list, p.decided) {
		p.decided = list
		p.effects = append(p.effects, Decided{})
	}
}

// follow applies the decisions of another pool. For backends without a decision this pool
// continues to decide.
func (p *Pool) follow(decisions []Decision) {
	for i := range p.backends {
		b := &p.backends[i]
		j := slices.IndexFunc(decisions, func(d Decision) bool { return d.Backend == b.Addr })
		if b.follows = j >= 0; b.follows {
			b.take(p, decisions[j])
		}
	}
}

// take gives a backend its decided state.
func (b *backend) take(p *Pool, d Decision) {
	if d.Down != b.down {
		b.streak = 0
	}
	was := *b
	b.down, b.drains, b.starts = d.Down, d.Drains, clock.Never
	if d.Drains {
		b.drain = near(was.drain, p.now.Add(d.Drain))
	}
	if d.Starting && p.check.SlowStart > 0 {
		b.starts = near(was.starts, p.now.Add(min(d.Slow, p.check.SlowStart)-p.check.SlowStart))
	}
	if b.state(p.now) != was.state(p.now) {
		b.why = "decided by the MASTER"
	}
}

// near returns at, or known if the two differ only by a message's delay.
func near(known, at clock.Instant) clock.Instant {
	const apart = 100 * time.Millisecond
	if known != clock.Never && max(known.Sub(at), at.Sub(known)) < apart {
		return known
	}
	return at
}

// lead makes the pool decide by itself. Without probes nothing would bring a backend up.
func (p *Pool) lead() {
	for i := range p.backends {
		b := &p.backends[i]
		b.follows = false
		b.down = b.down && p.check.Interval > 0
	}
}
