package traffic

import (
	"time"

	"baton/impl/clock"
)

// outageMeter finds the outages of a probe flow. Probes are settled in the order
// of their sequence numbers, each once it is known whether its answer came in
// time (within the threshold of its sending; a later answer is a missed one).
//
// An outage lasts from the last probe that was answered in time before it to the
// first one after it, by the instants at which they were really sent: between
// those two nothing came through, and both did. So it measures for how long
// packets were lost, not when answers arrived; it is never underestimated, and
// exact to one probe interval at each end while the generator is on time. A
// generator that was late has sent less often, and says so by a stall event.
type outageMeter struct {
	threshold time.Duration
	started   bool
	last      clock.Instant // when the last probe answered in time was sent
	missed    int           // probes since then
}

// settle notes the fate of the next probe.
func (m *outageMeter) settle(sent clock.Instant, answered bool) (gap, bool) {
	if !m.started {
		m.started, m.last = true, sent
	}
	if !answered {
		m.missed++
		return gap{}, false
	}
	g, found := m.end(sent)
	m.last, m.missed = sent, 0
	return g, found
}

// end reports the outage that is still open at the instant at.
func (m *outageMeter) end(at clock.Instant) (gap, bool) {
	if m.missed == 0 || at.Sub(m.last) <= m.threshold {
		return gap{}, false
	}
	return gap{from: m.last, to: at, missed: m.missed}, true
}
