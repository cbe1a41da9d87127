package bfd

import (
	"time"

	"baton/impl/clock"
)

// finals limits the rate of answers to Polls (RFC 5880 section 6.8.7), so that a flood of
// Polls under the peer's address does not make this end send a flood. A Poll is answered at
// once if the limit allows; Polls beyond it share the next Final. The peer's own Polls come
// no faster than its packets, which stay below the limit.
type finals struct {
	owed bool
	paid clock.Instant // until when the sent Finals use up the limit
}

// finalBurst is how many Finals may leave at once, and finalsPerInterval how many per the
// shorter interval of the two directions. The limit is thus never stricter than the advertised
// bfd.DesiredMinTxInterval.
const (
	finalBurst        = 3
	finalsPerInterval = 2
)

func (s *Session) finalSpacing() time.Duration {
	return min(s.cfg.DesiredMinTxInterval, s.cfg.RequiredMinRxInterval) / finalsPerInterval
}

// due is when the owed Final may leave, Never if none is owed.
func (f *finals) due(spacing time.Duration) clock.Instant {
	if !f.owed {
		return clock.Never
	}
	return f.paid.Add(-(finalBurst - 1) * spacing)
}

// left records that a Final was sent.
func (f *finals) left(now clock.Instant, spacing time.Duration) {
	f.owed, f.paid = false, max(f.paid, now).Add(spacing)
}
