package sim

import (
	"time"

	"baton/impl/clock"
)

// pacer yields the intended instants of an open-loop schedule, as that of package
// netns/traffic does: the n-th lies n steps after the start.
type pacer struct {
	at    clock.Instant // of the next action
	start clock.Instant
	step  float64 // nanoseconds
	grid  time.Duration
	n     int64
}

// every returns the schedule of count senders that each act once a period, spread
// evenly over it.
func every(start clock.Instant, period time.Duration, count int) pacer {
	return pacer{at: start, start: start, step: float64(period) / float64(count), grid: slot}
}

// perSecond returns a schedule of rate instants a second.
func perSecond(start clock.Instant, rate float64) pacer {
	return pacer{at: start, start: start, step: float64(time.Second) / rate, grid: slot}
}

// take moves on to the next instant.
func (p *pacer) take() {
	p.n++
	after := time.Duration(float64(p.n) * p.step)
	if p.grid > 0 {
		after = after.Truncate(p.grid)
	}
	p.at = p.start.Add(after)
}

// skip leaves out the instants up to now.
func (p *pacer) skip(now clock.Instant) {
	for p.at <= now {
		p.take()
	}
}

// gap is a stretch in which one flow got no answer to what it meant to send.
type gap struct {
	from, to clock.Instant
	missed   int // probes without a timely answer
}

// stallMeter finds the stalls of one TCP session. A run of late messages is one
// stall, from the intended time of its first to the echo of that; within a run
// only a longer stall than all of the run before is reported again.
type stallMeter struct {
	end     clock.Instant // of the last late message's wait
	longest time.Duration // of the present run; 0 outside of one
}

// waited notes that a message waited for its echo from its intended time until
// an instant.
func (m *stallMeter) waited(threshold time.Duration, intended, until clock.Instant) (gap, bool) {
	if until.Sub(intended) <= threshold {
		m.longest = 0
		return gap{}, false
	}
	from := max(intended, m.end)
	if until.Sub(from) <= threshold {
		return gap{}, false
	}
	m.end = until
	if until.Sub(from) <= m.longest {
		return gap{}, false
	}
	m.longest = until.Sub(from)
	return gap{from: from, to: until}, true
}

// outageMeter finds the outages of a probe flow: from the intended time of the
// last probe that was answered in time before it to the time of the first after it.
type outageMeter struct {
	started bool
	last    clock.Instant
	missed  int
}

// settle notes the fate of the next probe.
func (m *outageMeter) settle(threshold time.Duration, sent clock.Instant, answered bool) (gap, bool) {
	if !m.started {
		m.started, m.last = true, sent
	}
	if !answered {
		m.missed++
		return gap{}, false
	}
	g, found := m.end(threshold, sent)
	m.last, m.missed = sent, 0
	return g, found
}

// end reports the outage that is still open at the instant at.
func (m *outageMeter) end(threshold time.Duration, at clock.Instant) (gap, bool) {
	if m.missed == 0 || at.Sub(m.last) <= threshold {
		return gap{}, false
	}
	return gap{from: m.last, to: at, missed: m.missed}, true
}
