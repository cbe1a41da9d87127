package bfdbench

import (
	"slices"
	"time"
)

// Intervals are the times between consecutive control packets of a sender in state Up, by
// the receiver's kernel timestamps, of all senders of a subject. An interval above the
// negotiated one is late: jitter only shortens (RFC 5880 section 6.8.7).
type Intervals struct {
	sorted []time.Duration
}

// add adds the packets of one receiver.
func (v *Intervals) add(arrivals []arrival) {
	for i := 1; i < len(arrivals); i++ {
		if a, b := arrivals[i-1], arrivals[i]; a.state == stateUp && b.state == stateUp {
			v.sorted = append(v.sorted, b.at-a.at)
		}
	}
	slices.Sort(v.sorted)
}

// Count returns the number of intervals.
func (v Intervals) Count() int { return len(v.sorted) }

// Quantile returns the q-quantile, 0 if there are no intervals.
func (v Intervals) Quantile(q float64) time.Duration {
	if len(v.sorted) == 0 {
		return 0
	}
	return v.sorted[min(int(q*float64(len(v.sorted))), len(v.sorted)-1)]
}

// Max returns the longest interval.
func (v Intervals) Max() time.Duration { return v.Quantile(1) }

// Late returns the number of intervals longer than limit.
func (v Intervals) Late(limit time.Duration) int {
	i, _ := slices.BinarySearch(v.sorted, limit+1)
	return len(v.sorted) - i
}
