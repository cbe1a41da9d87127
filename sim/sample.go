package sim

import (
	"maps"
	"slices"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// sample is one generator's part of its line's sample: idle flows to which a message is sent once
// a period, and once more at the end, as in package netns/traffic.
type sample struct {
	gen   *generator
	of    []int           // indexes of the flows in generator.all
	asked map[int]sampled // by index, the flows to which a message was sent
	open  int             // flows that wait for an answer
}

// sampled is one flow of the sample.
type sampled struct {
	since    clock.Instant // when the unanswered message was first sent
	seq      uint32        // UDP: sequence number of that message
	waits    bool          // for an answer
	verified bool
}

// newSample draws the generator's part of its line's sample.
func newSample(g *generator) *sample {
	s := &sample{gen: g, asked: map[int]sampled{}}
	for _, number := range g.line.Sampled(g.w.cfg.Seed) {
		if number%g.of == g.index {
			s.of = append(s.of, number/g.of)
		}
	}
	g.line.totals.Sample += len(s.of)
	return s
}

// ask sends a message on the flow whose turn it is, if the flow is open and was answered before.
func (s *sample) ask(turn int) {
	g, i := s.gen, s.of[turn%len(s.of)]
	if i >= len(g.all) || !s.stands(i) {
		return
	}
	a := s.asked[i]
	if a.waits {
		s.verify(&a, false)
	} else {
		a.since, a.waits = g.w.now, true
		s.open++
		if g.line.Proto == "udp" {
			a.seq = g.w.datagrams.at(g.all[i]).seq
		}
	}
	s.asked[i] = a
	if g.line.Proto == "udp" {
		g.w.datagrams.at(g.all[i]).send(g.w.now)
		return
	}
	// TCP retransmits an unanswered message itself. After say, an empty waits means that the
	// express path has already computed the answer.
	c := g.w.conns.at(g.all[i])
	if len(c.waits) == 0 {
		c.say()
	}
	if len(c.waits) == 0 {
		s.noteAnswer(c.number, 0)
	}
}

// stands reports whether a flow has been answered and has not ended.
func (s *sample) stands(i int) bool {
	id := s.gen.all[i]
	if s.gen.line.Proto == "udp" {
		return s.gen.w.datagrams.at(id).backend != nobody
	}
	c := s.gen.w.conns.at(id)
	return c.phase == established && c.backend != nobody
}

func (s *sample) verify(a *sampled, verified bool) {
	if a.verified == verified {
		return
	}
	a.verified = verified
	if verified {
		s.gen.line.totals.Verified++
	} else {
		s.gen.line.totals.Verified--
	}
}

// place converts a flow's number within the line to its index in generator.all.
func (s *sample) place(number int) int { return number / s.gen.of }

// noteAnswer notes an answer on a flow; seq is the UDP message that it answers, 0 for TCP.
func (s *sample) noteAnswer(number int, seq uint32) {
	i := s.place(number)
	a, asked := s.asked[i]
	if !asked || !a.waits || seq < a.seq {
		return
	}
	a.waits = false
	s.open--
	s.verify(&a, true)
	s.asked[i] = a
}

// noteEnd notes that a flow has ended.
func (s *sample) noteEnd(number int) {
	i := s.place(number)
	if a, asked := s.asked[i]; asked {
		if a.waits {
			s.open--
		}
		s.verify(&a, false)
		delete(s.asked, i)
	}
}

// askAll sends a message on every flow of the sample.
func (s *sample) askAll() {
	for turn := range s.of {
		s.ask(turn)
	}
}

// settle ends a generator of UDP flows once every flow of the sample is answered. Until the end of
// the drain time it sends again on unanswered flows; after that they are lost.
func (s *sample) settle() {
	g := s.gen
	if g.done {
		return // its client has ended
	}
	if s.open > 0 && g.w.now < g.until && !g.w.hosts[g.client].frozen {
		for turn, i := range s.of {
			if s.asked[i].waits {
				s.ask(turn)
			}
		}
		g.w.at(min(g.until, g.w.now.Add(plan.FlowPause)), s.settle)
		return
	}
	for _, i := range slices.Sorted(maps.Keys(s.asked)) {
		if a := s.asked[i]; a.waits && !g.w.hosts[g.client].frozen {
			d := g.w.datagrams.at(g.all[i])
			g.line.totals.Lost++
			g.flowEvent(d.number, trace.TrafficLost, trace.Silence(trace.NoAnswer, g.w.now.Sub(a.since)), d.backend, d.tuple)
			s.noteEnd(d.number)
		}
	}
	g.end()
}

// forget removes the sample from the totals because its client has ended.
func (s *sample) forget() {
	for _, a := range s.asked { // a sum, so the order does not matter
		if a.verified {
			s.gen.line.totals.Verified--
		}
	}
	s.gen.line.totals.Sample -= len(s.of)
}
