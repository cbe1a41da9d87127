package health

import (
	"fmt"
	"time"

	"baton/impl/clock"
)

// probe is a backend's running probe, or its next one.
type probe struct {
	id  uint64        // of the running probe, 0 if none is running
	due clock.Instant // when the next one begins, or the running one began
}

// deadline returns when the next probe begins. A running one ends with its result.
func (p *probe) deadline() clock.Instant {
	if p.id != 0 {
		return clock.Never
	}
	return p.due
}

// runProbes begins the probes that are due.
func (p *Pool) runProbes() {
	if p.check.Interval == 0 {
		return
	}
	for i := range p.backends {
		b := &p.backends[i]
		if p.now >= b.probe.deadline() {
			p.probes++
			b.probe = probe{id: p.probes, due: p.now}
			p.effects = append(p.effects, Probe{ID: p.probes, Backend: b.Addr})
		}
	}
}

// result handles the result of a probe. It ignores one of a probe that no longer counts.
func (p *Pool) result(r Result) {
	for i := range p.backends {
		b := &p.backends[i]
		switch {
		case b.probe.id != r.ID || r.ID == 0:
		case r.Undecided:
			p.end(b, 0)
			b.undecided++
		default:
			p.count(b, r.Err)
		}
	}
}

// end ends a backend's probe; the next one begins early by the given time.
func (p *Pool) end(b *backend, early time.Duration) {
	b.probe = probe{due: max(p.now, b.probe.due.Add(p.interval()-early))}
	b.probed++
}

// count ends a backend's probe; failure is "" if it was answered. The probe after a first
// failure begins earlier by the timeout, so that Fall failures time out within Fall
// intervals after the last answered probe.
func (p *Pool) count(b *backend, failure string) {
	early := time.Duration(0)
	if failure != "" && !b.down && b.streak == 0 {
		early = p.check.Timeout
	}
	p.end(b, early)
	if failure != "" {
		b.failed++
	}
	failed := failure != ""
	if failed == b.down {
		b.streak = 0
		if failed {
			b.why = failure
		}
		return
	}
	b.streak++
	enough := p.enough(failed)
	if b.follows {
		b.streak = min(b.streak, enough) // decided by the next probe once this pool leads
		return
	}
	if b.streak >= enough {
		why := fmt.Sprintf("%d probes in a row were answered", enough)
		if failed {
			why = fmt.Sprintf("%d probes in a row failed: %s", enough, failure)
		}
		b.decide(p, failed, why)
	}
}

// enough returns how many consecutive probes change a backend's state.
func (p *Pool) enough(failed bool) int {
	if failed {
		return p.check.Fall
	}
	return p.check.Rise
}

// decide takes a backend down or brings it up.
func (b *backend) decide(p *Pool, down bool, why string) {
	b.down, b.streak, b.why, b.starts = down, 0, why, clock.Never
	if !down && p.check.SlowStart > 0 {
		b.starts = p.now
	}
}

// interval draws the time to the next probe.
func (p *Pool) interval() time.Duration {
	if p.check.Jitter == 0 {
		return p.check.Interval
	}
	most := p.check.Interval * time.Duration(p.check.Jitter) / 100
	return p.check.Interval - time.Duration(p.random.Int64N(int64(most)+1))
}
