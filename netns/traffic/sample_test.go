package traffic

import (
	"testing"

	"baton/impl/clock"
	"baton/scenarios/plan"
)

// asking is an exchange that only counts.
type asking struct{ asked int }

func (a *asking) ask(int, clock.Instant) { a.asked++ }

// TestOnlyAnAnswerToTheOutstandingRequestVerifies: a late answer to an earlier request proves nothing
// about the present. A flow stays verified until a request stays unanswered for a period.
func TestOnlyAnAnswerToTheOutstandingRequestVerifies(t *testing.T) {
	ms := func(n int) clock.Instant { return clock.Instant(n) * 1e6 }
	l := &line{Traffic: plan.Traffic{Name: "idle"}}
	x := &asking{}
	g := &idleFlows{line: l, all: make([]idleFlow, 1), exchange: x}
	g.all[0].backend = 1
	s := &sample{flows: g, of: []int32{0}, asked: map[int32]sampled{}}
	for i, step := range []struct {
		do             func()
		verified, open int
	}{
		{func() { s.noteAnswer(0, ms(50)) }, 0, 0}, // answers the opening request
		{func() { s.ask(0, ms(100)) }, 0, 1},
		{func() { s.noteAnswer(0, ms(50)) }, 0, 1}, // late
		{func() { s.noteAnswer(0, ms(100)) }, 1, 0},
		{func() { s.noteAnswer(0, ms(100)) }, 1, 0}, // duplicate
		{func() { s.ask(0, ms(200)) }, 1, 1},
		{func() { s.noteAnswer(0, ms(100)) }, 1, 1},
		{func() { s.ask(0, ms(300)) }, 0, 1}, // not answered in a period
		{func() { s.noteAnswer(0, ms(300)) }, 1, 0},
		{func() { s.ask(0, ms(400)) }, 1, 1},
		{func() { s.noteEnd(0) }, 0, 0},
	} {
		step.do()
		if got := l.totals.Verified; got != step.verified || s.open != step.open {
			t.Fatalf("step %d: %d verified and %d open, want %d and %d", i, got, s.open, step.verified, step.open)
		}
	}
	if x.asked != 4 {
		t.Errorf("asked %d times", x.asked)
	}
}
