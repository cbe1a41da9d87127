package traffic

import (
	"time"

	"baton/impl/clock"
)

// gap is a stretch in which one flow got no answer to what it meant to send.
type gap struct {
	from, to clock.Instant
	missed   int // probes without a timely answer
}

// stallMeter finds the stalls of one TCP session. A message is late when its
// echo comes more than the threshold after the intended send time, or after the
// end of the previous stall if that is later: what piled up behind one stall is
// not another. A run of late messages is one stall, reported once, from the
// intended time of its first message to the echo of that; within a run only a
// longer stall than all of the run before is reported again.
type stallMeter struct {
	threshold time.Duration
	end       clock.Instant // of the last late message's wait
	longest   time.Duration // of the present run; 0 outside of one
}

// waited notes that a message waited for its echo from its intended time until
// the instant at which the echo came, or at which the flow ended without it.
func (m *stallMeter) waited(intended, until clock.Instant) (gap, bool) {
	if until.Sub(intended) <= m.threshold {
		m.longest = 0
		return gap{}, false
	}
	from := max(intended, m.end)
	if until.Sub(from) <= m.threshold {
		return gap{}, false
	}
	m.end = until
	if until.Sub(from) <= m.longest {
		return gap{}, false
	}
	m.longest = until.Sub(from)
	return gap{from: from, to: until}, true
}
