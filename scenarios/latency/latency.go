// Package latency collects the round trips of a line of traffic: a histogram of all of
// them, and the percentiles of each short stretch of a run. Both worlds use it, so
// that their traces mean the same. It is pure: the caller passes the time.
package latency

import (
	"math"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// Stretches groups round trips by the time of their answers. The zero value is ready.
type Stretches struct {
	from  clock.Instant // start of the current stretch
	trips Histogram     // of the current stretch
	ended clock.Instant // end of the stretch before
	done  []trace.Latency
}

// Add counts the round trip of an answer that came at an instant. Answers should be added
// roughly in order of time: one from before the current stretch counts for the current one.
func (s *Stretches) Add(at clock.Instant, trip time.Duration) {
	s.end(at)
	if s.trips.Count() == 0 {
		s.from = max(at-at%clock.Instant(trace.LatencyStretch), s.ended)
	}
	s.trips.Add(trip)
}

// Take returns the stretches that have ended by an instant and were not taken before,
// without those that had no answer.
func (s *Stretches) Take(until clock.Instant) []trace.Latency {
	s.end(until)
	taken := s.done
	s.done = nil
	return taken
}

// end closes the current stretch if an instant lies after it.
func (s *Stretches) end(at clock.Instant) {
	if s.trips.Count() == 0 || at < s.from.Add(trace.LatencyStretch) {
		return
	}
	q := s.trips.Quantiles(0.50, 0.90, 0.99)
	s.done = append(s.done, trace.Latency{From: s.from, Answers: s.trips.Count(),
		P50: milliseconds(q[0]), P90: milliseconds(q[1]), P99: milliseconds(q[2]), Max: milliseconds(s.trips.Max())})
	s.trips, s.ended = Histogram{}, s.from.Add(trace.LatencyStretch)
}

// milliseconds rounds to the microsecond.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}
