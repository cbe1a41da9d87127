package latency

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/trace"
)

func ms(n float64) clock.Instant { return clock.Instant(n * float64(time.Millisecond)) }

func TestStretchesLieOnAGrid(t *testing.T) {
	var s Stretches
	for _, at := range []float64{1010, 1050, 1099.9, 1100, 1350} {
		s.Add(ms(at), time.Millisecond)
	}
	counts := func(list []trace.Latency) map[clock.Instant]int {
		m := map[clock.Instant]int{}
		for _, l := range list {
			m[l.From] += l.Answers
		}
		return m
	}
	if diff := cmp.Diff(map[clock.Instant]int{ms(1000): 3, ms(1100): 1}, counts(s.Take(ms(1399)))); diff != "" {
		t.Errorf("of what has ended by 1.399 s: %s", diff)
	}
	if list := s.Take(ms(1399)); len(list) != 0 {
		t.Errorf("taken again: %v", list)
	}
	if diff := cmp.Diff(map[clock.Instant]int{ms(1300): 1}, counts(s.Take(clock.Never))); diff != "" {
		t.Errorf("the rest: %s", diff)
	}
}

// An answer that is counted after its stretch was taken makes no second one of it.
func TestALateAnswerCountsForTheNextStretch(t *testing.T) {
	var s Stretches
	s.Add(ms(1010), time.Millisecond)
	s.Take(ms(1100))
	s.Add(ms(1099), time.Millisecond)
	if list := s.Take(clock.Never); len(list) != 1 || list[0].From != ms(1100) {
		t.Errorf("%+v", list)
	}
}

// No answer is lost or counted twice, whenever somebody takes; percentiles are those of the
// sorted values to 7 %, and in order.
func TestPercentilesAreThoseOfTheAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trips := rapid.SliceOfN(rapid.Int64Range(int64(time.Microsecond), int64(10*time.Second)), 1, 300).Draw(t, "trips")
		var s Stretches
		for _, trip := range trips {
			s.Add(ms(1000), time.Duration(trip))
		}
		list := s.Take(clock.Never)
		if len(list) != 1 || list[0].Answers != len(trips) {
			t.Fatalf("%+v of %d answers", list, len(trips))
		}
		slices.Sort(trips)
		got := list[0]
		for _, want := range []struct{ share, got float64 }{{0.50, got.P50}, {0.90, got.P90}, {0.99, got.P99}} {
			exact := float64(trips[int(want.share*float64(len(trips)))]) / float64(time.Millisecond)
			if want.got < exact*0.999-0.001 || want.got > exact*1.07+0.002 {
				t.Errorf("p%v is %v ms, of the values %v", want.share*100, want.got, exact)
			}
		}
		if got.P50 > got.P90 || got.P90 > got.P99 || got.P99 > got.Max {
			t.Errorf("out of order: %+v", got)
		}
	})
}

func TestStretchesHoldEveryAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Stretches
		at, taken := clock.Instant(0), 0
		var from []clock.Instant
		take := func(until clock.Instant) {
			for _, l := range s.Take(until) {
				taken += l.Answers
				from = append(from, l.From)
			}
		}
		steps := rapid.SliceOf(rapid.Int64Range(0, int64(300*time.Millisecond))).Draw(t, "steps")
		for _, step := range steps {
			at += clock.Instant(step)
			s.Add(at, time.Millisecond)
			if rapid.Bool().Draw(t, "take") {
				take(at)
			}
		}
		take(clock.Never)
		if taken != len(steps) {
			t.Errorf("%d of %d answers", taken, len(steps))
		}
		for i := 1; i < len(from); i++ {
			if from[i] < from[i-1].Add(trace.LatencyStretch) {
				t.Errorf("stretches overlap: %v", from)
			}
		}
	})
}
