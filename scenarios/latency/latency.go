// Package latency gathers the round trips of a line of traffic: a histogram of all of
// them, and the percentiles of each short stretch of a run. Both worlds record by it, so
// that their traces mean the same. It is pure: the caller passes the time.
package latency

import (
	"math"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// Stretches gathers round trips by when their answers came. The zero value is ready.
type Stretches struct {
	from  clock.Instant // of the stretch that goes on
	trips Histogram     // in it
	ended clock.Instant // when the last stretch before it did
	done  []trace.Latency
}

// Add counts the round trip of an answer that came at an instant. Answers are expected by
// time, but for little: one from before the stretch that goes on counts for that.
func (s *Stretches) Add(at clock.Instant, trip time.Duration) {
	s.end(at)
	if s.trips.Count() == 0 {
		s.from = max(at-at%clock.Instant(trace.LatencyStretch), s.ended)
	}
	s.trips.Add(trip)
}

// Take returns the stretches that have ended by an instant and were not taken before.
// One without an answer is absent.
func (s *Stretches) Take(until clock.Instant) []trace.Latency {
	s.end(until)
	taken := s.done
	s.done = nil
	return taken
}

// end closes the stretch that goes on if an instant lies behind it.
func (s *Stretches) end(at clock.Instant) {
	if s.trips.Count() == 0 || at < s.from.Add(trace.LatencyStretch) {
		return
	}
	q := s.trips.Quantiles(0.50, 0.90, 0.99)
	s.done = append(s.done, trace.Latency{From: s.from, Answers: s.trips.Count(),
		P50: milliseconds(q[0]), P90: milliseconds(q[1]), P99: milliseconds(q[2]), Max: milliseconds(s.trips.Max())})
	s.trips, s.ended = Histogram{}, s.from.Add(trace.LatencyStretch)
}

// milliseconds of a duration, to the microsecond.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}
