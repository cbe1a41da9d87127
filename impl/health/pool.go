package health

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"baton/impl/clock"
)

// Pool is the backends of one service.
type Pool struct {
	check    Check
	backends []backend

	now     clock.Instant
	random  *rand.Rand
	probes  uint64  // the last ID; the first is random, so that a result of another pool does not count
	written []Share // shares of the last Write
	decided []decided
	effects []Effect
}

// backend is the state of one backend. A new one counts as up.
type backend struct {
	Backend
	down    bool
	follows bool // another pool decides
	streak  int  // consecutive probes that contradict its state
	shown   State
	why     string
	since   clock.Instant // when shown was reached

	starts clock.Instant // when its slow start began; Never if it has its full share
	drains bool
	drain  clock.Instant // the deadline of the drain

	probe                     probe
	probed, failed, undecided uint64
}

// New returns a pool. The seed determines its jitter and the IDs of its probes.
func New(cfg Config, seed uint64, now clock.Instant) *Pool {
	p := &Pool{now: now, random: rand.New(rand.NewPCG(seed, 0)), probes: rand.New(rand.NewPCG(seed, 1)).Uint64() >> 1}
	p.configure(cfg)
	p.written = p.Shares() // the caller of New writes the backends
	return p
}

// Clone returns a copy of the pool with the same probes running.
func (p *Pool) Clone() *Pool {
	c := *p
	c.backends, c.written, c.decided, c.effects = slices.Clone(p.backends), slices.Clone(p.written), slices.Clone(p.decided), slices.Clone(p.effects)
	return &c
}

// configure applies a configuration. The first probes of new backends, and the next ones under
// another interval, are spread over an interval.
func (p *Pool) configure(cfg Config) {
	was, sameInterval := p.backends, p.check.Interval == cfg.Check.Interval
	p.check, p.backends = cfg.Check, make([]backend, len(cfg.Backends))
	for i, b := range cfg.Backends {
		j := slices.IndexFunc(was, func(old backend) bool { return old.Addr == b.Addr })
		first := p.now.Add(p.check.Interval * time.Duration(i) / time.Duration(len(cfg.Backends)))
		if j >= 0 {
			p.backends[i] = was[j]
			p.backends[i].Weight = b.Weight
			if probe := &p.backends[i].probe; probe.id == 0 && !sameInterval {
				probe.due = min(probe.due, first)
			}
			continue
		}
		p.backends[i] = backend{Backend: b, shown: Up, since: p.now, starts: clock.Never, probe: probe{due: first}}
	}
	if p.check.Interval == 0 {
		for i := range p.backends {
			b := &p.backends[i]
			if b.streak, b.probe = 0, (probe{}); !b.follows {
				b.down, b.starts = false, clock.Never
			}
		}
	}
}

// Step processes one input.
func (p *Pool) Step(now clock.Instant, in Input) {
	p.now = now
	switch in := in.(type) {
	case Timer:
	case Result:
		p.result(in)
	case Drain:
		if b := p.find(in.Backend); b != nil && !b.follows {
			b.drains, b.drain, b.why = true, now.Add(in.For), "drained by an operator"
		}
	case Ready:
		if b := p.find(in.Backend); b != nil && !b.follows {
			b.drains, b.why = false, "made ready by an operator"
		}
	case Configure:
		p.configure(in.Config)
	case Follow:
		p.follow(in.Decisions)
	case Lead:
		p.lead()
	}
	p.runProbes()
	p.tell()
	p.sayDecisions()
	if shares := p.Shares(); !slices.Equal(shares, p.written) {
		p.written = shares
		p.effects = append(p.effects, Write{})
	}
}

// Deadline returns when the pool next needs a Timer.
func (p *Pool) Deadline() clock.Instant {
	at := clock.Never
	for i := range p.backends {
		b := &p.backends[i]
		at = min(at, b.nextTenth(p.now, p.check.SlowStart))
		if b.drains && b.drain > p.now {
			at = min(at, b.drain)
		}
		if p.check.Interval > 0 {
			at = min(at, b.probe.deadline())
		}
	}
	return at
}

// Ready returns the pool's pending effects.
func (p *Pool) Ready() []Effect {
	effects := p.effects
	p.effects = nil
	return effects
}

func (p *Pool) find(addr netip.AddrPort) *backend {
	for i := range p.backends {
		if p.backends[i].Addr == addr {
			return &p.backends[i]
		}
	}
	return nil
}

// tell emits a Change for each backend whose state has changed.
func (p *Pool) tell() {
	for i := range p.backends {
		b := &p.backends[i]
		if b.starts != clock.Never && p.now >= b.starts.Add(p.check.SlowStart) {
			b.starts = clock.Never
		}
		if state := b.state(p.now); state != b.shown {
			p.effects = append(p.effects, Change{Backend: b.Addr, From: b.shown, To: state, Why: b.why})
			b.shown, b.since = state, p.now
		}
	}
}

func (b *backend) state(now clock.Instant) State {
	switch {
	case b.drains && (now >= b.drain || b.down):
		return Drained
	case b.drains:
		return Draining
	case b.down:
		return Down
	case b.starts != clock.Never:
		return Starting
	}
	return Up
}

// Status returns the status of every backend, in the configuration's order.
func (p *Pool) Status(now clock.Instant) []Status {
	list := make([]Status, len(p.backends))
	for i := range p.backends {
		b := &p.backends[i]
		list[i] = Status{
			Backend: b.Addr, State: b.shown, Weight: b.Weight, Why: b.why, Since: now.Sub(b.since), Failed: b.failed, Probed: b.probed, Undecided: b.undecided,
			Follows: b.follows, Disagrees: b.follows && b.streak > 0,
		}
		if b.drains {
			list[i].Left = until(now, b.drain)
		}
	}
	return list
}
