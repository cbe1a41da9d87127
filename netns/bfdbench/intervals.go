package bfdbench

import (
	"slices"
	"time"
)

// Intervals are the times between two control packets of one sender in a row, both
// of which say Up, as the kernel of the receiver saw them, of all senders of a
// subject together. An interval that is longer than the agreed one is lateness:
// jitter only shortens (RFC 5880 section 6.8.7).
type Intervals struct {
	sorted []time.Duration
}

// add takes in the packets that one receiver got.
func (v *Intervals) add(arrivals []arrival) {
	for i := 1; i < len(arrivals); i++ {
		if a, b := arrivals[i-1], arrivals[i]; a.state == stateUp && b.state == stateUp {
			v.sorted = append(v.sorted, b.at-a.at)
		}
	}
	slices.Sort(v.sorted)
}

// Count is how many there are.
func (v Intervals) Count() int { return len(v.sorted) }

// Quantile returns the interval below which a share q of all lie, 0 if there are none.
func (v Intervals) Quantile(q float64) time.Duration {
	if len(v.sorted) == 0 {
		return 0
	}
	return v.sorted[min(int(q*float64(len(v.sorted))), len(v.sorted)-1)]
}

// Max is the longest.
func (v Intervals) Max() time.Duration { return v.Quantile(1) }

// Late is how many are longer than a time.
func (v Intervals) Late(limit time.Duration) int {
	i, _ := slices.BinarySearch(v.sorted, limit+1)
	return len(v.sorted) - i
}
