package traffic

import (
	"time"

	"baton/impl/clock"
)

// outageMeter finds the outages of a probe flow. It settles the probes in the order of
// their sequence numbers, once it is known whether each was answered within the threshold
// of its sending. A later answer counts as missed.
//
// An outage lasts from the sending of the last probe answered in time before it to the
// sending of the first one after it. So it measures how long packets were lost, not when
// answers arrived. It is never underestimated, and exact to one probe interval at each end
// if the generator is on time. A late generator records a stall event.
type outageMeter struct {
	threshold time.Duration
	started   bool
	last      clock.Instant // when the last probe answered in time was sent
	missed    int           // probes missed since then
}

// settle takes the result of the next probe.
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

// end reports the outage that is open at an instant.
func (m *outageMeter) end(at clock.Instant) (gap, bool) {
	if m.missed == 0 || at.Sub(m.last) <= m.threshold {
		return gap{}, false
	}
	return gap{from: m.last, to: at, missed: m.missed}, true
}
