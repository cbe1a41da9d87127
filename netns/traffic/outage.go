package traffic

import (
	"time"

	"baton/impl/clock"
)

// outageMeter finds the outages of a probe flow. Probes are settled in the order
// of their sequence numbers, each once it is known whether its answer came in
// time (within the threshold of its sending; a later answer is a missed one).
//
// An outage lasts from the intended send time of the last probe that was
// answered in time before it to the actual send time of the first one after it.
// So it measures for how long packets were lost, not when answers arrived, and
// it is exact to one probe interval at each end. Where the generator itself was
// late the actual time is later than the intended one: the outage is then
// overestimated, never hidden.
type outageMeter struct {
	threshold time.Duration
	started   bool
	last      clock.Instant // intended time of the last probe answered in time
	missed    int           // probes since then
}

// settle notes the fate of the next probe.
func (m *outageMeter) settle(intended, sent clock.Instant, answered bool) (gap, bool) {
	if !m.started {
		m.started, m.last = true, intended
	}
	if !answered {
		m.missed++
		return gap{}, false
	}
	g, found := m.end(sent)
	m.last, m.missed = intended, 0
	return g, found
}

// end reports the outage that is still open at the instant at.
func (m *outageMeter) end(at clock.Instant) (gap, bool) {
	if m.missed == 0 || at.Sub(m.last) <= m.threshold {
		return gap{}, false
	}
	return gap{from: m.last, to: at, missed: m.missed}, true
}
