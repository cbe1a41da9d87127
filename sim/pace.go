package sim

import (
	"time"

	"baton/impl/clock"
)

// pacer yields the intended send times of an open-loop schedule, like the one of package
// netns/traffic: the n-th is n steps after the start, rounded down to the grid.
type pacer struct {
	at    clock.Instant // of the next action
	start clock.Instant
	step  float64 // nanoseconds
	grid  time.Duration
	n     int64
}

// every returns the schedule of count senders that each act once a period, evenly spread over the
// period.
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

// skip drops the instants up to now.
func (p *pacer) skip(now clock.Instant) {
	for p.at <= now {
		p.take()
	}
}

// gap is a time during which one flow got no answers.
type gap struct {
	from, to clock.Instant
	missed   int // probes without a timely answer
}

// stallMeter finds the stalls of one TCP session. A run of late messages is one stall, from the
// intended time of the first to its echo. Within a run another stall is reported only if it is
// longer than all before it.
type stallMeter struct {
	end     clock.Instant // end of the last late message's wait
	longest time.Duration // longest stall of the current run; 0 outside a run
}

// waited notes that a message waited for its echo from its intended time until an instant, and
// returns the stall to report, if any.
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

// outageMeter finds the outages of a probe flow. An outage extends from the send time of the last
// datagram answered in time before it to that of the first answered in time after it.
type outageMeter struct {
	started bool
	last    clock.Instant
	missed  int
}

// settle notes whether the next datagram was answered in time, and returns the outage that it
// ends, if any.
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
