package traffic

import (
	"time"

	"baton/impl/clock"
)

// gap is a period in which one flow got no answer.
type gap struct {
	from, to clock.Instant
	missed   int // probes without a timely answer
}

// stallMeter finds the stalls of one TCP session. A message is late if its echo comes more
// than the threshold after the intended send time, or after the end of the previous stall
// if that is later. So a backlog behind one stall is not a second one. Consecutive late
// messages are one stall. It is reported once, from the intended time of the first message
// to its echo; within the stall only a longer one is reported again.
type stallMeter struct {
	threshold time.Duration
	end       clock.Instant // end of the last late message's wait
	longest   time.Duration // of the consecutive late messages; 0 outside of a stall
}

// waited records that a message waited from its intended time until its echo, or until the
// flow ended without an echo.
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
