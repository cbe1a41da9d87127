package timeline

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// answered adds totals with a stretch of latency for each of some times, in ms.
func (s *script) answered(line string, p99 float64, from ...float64) {
	t := &trace.Totals{Name: line, Kind: "sessions", Proto: "tcp"}
	for _, ms := range from {
		t.Latency = append(t.Latency, trace.Latency{From: clock.Instant(time.Hour) + clock.Instant(ms*1e6), Answers: 10, P50: 0.1, P90: 0.2, P99: p99, Max: 2 * p99})
	}
	s.at(from[len(from)-1]+100, "", trace.Event{Totals: t})
}

func TestLatencyIsALaneOfItsLine(t *testing.T) {
	s := crash()
	s.answered("web", 0.3, 0)
	s.answered("web", 310, 400, 500)
	got := lane(t, Build(*s), Latency, "web", "").Trips
	want := []Trip{{0, 10, 0.1, 0.2, 0.3, 0.6}, {400_000, 10, 0.1, 0.2, 310, 620}, {500_000, 10, 0.1, 0.2, 310, 620}}
	if got.Every != 100_000 || len(got.Of) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got.Of[i] != want[i] {
			t.Errorf("%+v, want %+v", got.Of[i], want[i])
		}
	}
}

// The table has a row for each stretch, those without an answer too, and says what happened in it.
func TestTheLatencyTableSaysWhatHappened(t *testing.T) {
	s := crash()
	s.answered("probe", 0.3, 0, 300)
	s.answered("web", 310, 400)
	table := Build(*s).Latency
	if table == nil || table.Every != 100_000 || len(table.Lines) != 2 || len(table.Rows) != 5 {
		t.Fatalf("%+v", table)
	}
	for i, want := range []struct {
		what       string
		probe, web int
	}{{"lb1 is Master", 10, 0}, {"crash lb1", 0, 0}, {"lb2 is Master", 0, 0}, {"", 10, 0}, {"", 0, 10}} {
		row := table.Rows[i]
		if row.At != At(i*100_000) || row.What != want.what || row.Trips[0].Answers != want.probe || row.Trips[1].Answers != want.web {
			t.Errorf("row %d: %+v, want %+v", i, row, want)
		}
	}
}

// A long run has longer stretches: the worst of each, no answer lost, and it says so.
func TestLatencyOfALongRunIsMerged(t *testing.T) {
	s := begin()
	const stretches = 5000
	for i := range stretches {
		p99 := 0.3
		if i == 3333 {
			p99 = 999
		}
		s.answered("web", p99, float64(i*100))
	}
	r := Build(*s)
	trips := lane(t, r, Latency, "web", "").Trips
	answers, worst := 0, 0.0
	for _, trip := range trips.Of {
		answers, worst = answers+trip.Answers, max(worst, trip.P99)
	}
	if len(trips.Of) > maxPoints || answers != 10*stretches || worst != 999 || len(r.Cut) == 0 {
		t.Errorf("%d stretches of %v, %d answers, p99 %v, cut %q", len(trips.Of), trips.Every.Duration(), answers, worst, r.Cut)
	}
	answers = 0
	for _, row := range r.Latency.Rows {
		answers += row.Trips[0].Answers
	}
	if len(r.Latency.Rows) > rowsMost || answers != 10*stretches {
		t.Errorf("%d rows of %d answers", len(r.Latency.Rows), answers)
	}
}
