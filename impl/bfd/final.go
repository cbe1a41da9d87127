package bfd

import (
	"time"

	"baton/impl/clock"
)

// finals are the answers to Polls. A Poll is answered at once, but the rate is limited
// (RFC 5880 section 6.8.7), so that a flood of Polls under the peer's address does not make
// this end send a flood: what comes sooner is answered together, by the next Final that
// may leave. The peer's own Polls come no faster than its packets, and those stay below the limit.
type finals struct {
	owed bool
	paid clock.Instant // up to when the Finals that have left use up what the limit allows
}

// finalBurst is how many Finals may leave at once, and finalsPerInterval how many in each
// of the shorter interval of the two directions. Both intervals are announced, so that the
// limit is no stricter than bfd.DesiredMinTxInterval.
const (
	finalBurst        = 3
	finalsPerInterval = 2
)

func (s *Session) finalSpacing() time.Duration {
	return min(s.cfg.DesiredMinTxInterval, s.cfg.RequiredMinRxInterval) / finalsPerInterval
}

// due is when the Final that is owed may leave, Never when none is.
func (f *finals) due(spacing time.Duration) clock.Instant {
	if !f.owed {
		return clock.Never
	}
	return f.paid.Add(-(finalBurst - 1) * spacing)
}

// left notes that a Final leaves.
func (f *finals) left(now clock.Instant, spacing time.Duration) {
	f.owed, f.paid = false, max(f.paid, now).Add(spacing)
}
