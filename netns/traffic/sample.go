package traffic

import (
	"maps"
	"slices"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// sample is one client's part of a line's sample: idle flows, drawn by the run's seed, that
// are asked once a period and once more at the end. A flow that answers is verified. A flow
// that does not is asked again at its next turn and no longer counts as verified. So the
// totals always show how many flows of the sample are known to be alive, before and after
// each takeover.
type sample struct {
	flows *idleFlows
	of    []int32           // the sampled flows
	asked map[int32]sampled // those asked so far
	beat  pacer             // asks one after the other
	open  int               // flows with an outstanding request
	again clock.Instant     // at the end: when unanswered flows are asked next
}

type sampled struct {
	since    clock.Instant // when the outstanding request was first sent; 0 if none is
	verified bool
}

func newSample(g *idleFlows, start clock.Instant) *sample {
	s := &sample{flows: g, asked: map[int32]sampled{}, beat: pacer{start: clock.Never}}
	place := map[int]int32{}
	for i, number := range g.numbers {
		place[number] = int32(i)
	}
	for _, number := range g.line.Sampled(g.line.seed) {
		if i, ours := place[number]; ours {
			s.of = append(s.of, i)
		}
	}
	if len(s.of) > 0 {
		s.beat = every(start, g.line.SampleEvery(), len(s.of))
	}
	g.line.count(func(t *trace.Totals) { t.Sample += len(s.of) })
	return s
}

func (s *sample) fire(now clock.Instant) {
	if len(s.of) > 0 {
		s.beat.due(now, forever, func(intended clock.Instant, n int64) {
			s.ask(s.of[n%int64(len(s.of))], intended)
			s.flows.guests.loop.acted(s.flows.line, intended)
		})
	}
}

// ask sends a request to a flow that was answered when it opened.
func (s *sample) ask(i int32, intended clock.Instant) {
	f := &s.flows.all[i]
	if f.backend == 0 || f.dead {
		return
	}
	a := s.asked[i]
	if a.since == 0 {
		a.since = intended
		s.open++
	} else {
		s.verify(&a, false)
	}
	s.asked[i] = a
	s.flows.exchange.ask(int(i), intended)
}

// noteAnswer records the answer to a request by its intended time.
func (s *sample) noteAnswer(i int, intended clock.Instant) {
	a, asked := s.asked[int32(i)]
	if !asked || a.since == 0 || intended < a.since {
		return
	}
	a.since = 0
	s.open--
	s.verify(&a, true)
	s.asked[int32(i)] = a
}

// noteEnd records that a flow has ended.
func (s *sample) noteEnd(i int) {
	if a, asked := s.asked[int32(i)]; asked {
		if a.since > 0 {
			s.open--
		}
		s.verify(&a, false)
		delete(s.asked, int32(i))
	}
}

func (s *sample) verify(a *sampled, verified bool) {
	if a.verified == verified {
		return
	}
	a.verified = verified
	by := -1
	if verified {
		by = 1
	}
	s.flows.line.count(func(t *trace.Totals) { t.Verified += by })
}

// askAll asks the whole sample.
func (s *sample) askAll(now clock.Instant) {
	s.again = now.Add(plan.FlowPause)
	for _, i := range s.of {
		s.ask(i, now)
	}
}

// repeat asks the unanswered flows again when it is time.
func (s *sample) repeat(now clock.Instant) {
	if now < s.again {
		return
	}
	s.again = now.Add(plan.FlowPause)
	for _, i := range s.waiting() {
		s.ask(i, now)
	}
}

// waiting returns the flows with an outstanding request.
func (s *sample) waiting() (found []int32) {
	for _, i := range slices.Sorted(maps.Keys(s.asked)) {
		if s.asked[i].since > 0 {
			found = append(found, i)
		}
	}
	return found
}

func (s *sample) settled() bool { return s.open == 0 }

// deadline is when unanswered flows are asked next, at the end.
func (s *sample) deadline(e *ending) clock.Instant {
	if e.done || s.settled() {
		return clock.Never
	}
	return s.again
}

// giveUp ends the flows that have timed out.
func (s *sample) giveUp(now clock.Instant) {
	for _, i := range s.waiting() {
		s.flows.end(int(i), now, trace.Silence(trace.NoAnswer, now.Sub(s.asked[i].since)))
		s.noteEnd(int(i))
	}
}

// forget removes the sample from the totals, because its client has ended.
func (s *sample) forget() {
	verified := 0
	for _, a := range s.asked { // order does not matter: a sum
		if a.verified {
			verified++
		}
	}
	s.flows.line.count(func(t *trace.Totals) { t.Sample -= len(s.of); t.Verified -= verified })
}
