package traffic

import (
	"fmt"
	"net/netip"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// udpFlows generates one client's share of a line of idle UDP flows, which are
// there to fill the connection table: each sends one datagram from an address
// and port of its own, which take no socket (see guests), and again once a period if the line says every. A flow that
// has no answer sends its datagram again, in passes over all such flows, so that
// a moment of overload does not leave the table short. Start counts as done when
// all are answered or the passes are used up.
type udpFlows struct {
	line     *line
	client   *client
	guests   *guests
	numbers  []int // of the flows within the line
	all      []udpFlow
	pass     []int32 // the flows of the present pass
	passes   int     // begun
	opener   pacer   // of the present pass
	beat     pacer
	beats    bool
	answered int
	resumed  clock.Instant // when its client stood still last

	readiness
	ending *ending
}

// udpFlow is one flow. It is small, since there are many.
type udpFlow struct {
	seq      uint64
	backend  string
	answered bool
	corrupt  bool
}

func newUDPFlows(l *loop, line *line, from *client, addrs []netip.Addr, numbers []int, start clock.Instant, r readiness) (*udpFlows, error) {
	g := &udpFlows{readiness: r, line: line, client: from, numbers: numbers, all: make([]udpFlow, len(numbers))}
	if most := len(addrs) * plan.GuestPorts; len(numbers) > most {
		return nil, fmt.Errorf("traffic: %d flows from %d addresses, which have room for %d", len(numbers), len(addrs), most)
	}
	if len(numbers) > 0 {
		var err error
		if g.guests, err = l.openGuests(from, addrs, line.target); err != nil {
			return nil, err
		}
		g.guests.take = g.receive
	}
	if line.Every > 0 && len(numbers) > 0 {
		g.beats, g.beat = true, every(start, line.Every, len(numbers))
	}
	g.beginPass(start)
	return g, nil
}

// beginPass begins a pass over the flows that have no answer.
func (g *udpFlows) beginPass(start clock.Instant) {
	g.passes++
	g.opener = perSecond(start, g.line.pace(len(g.all)))
	g.pass = g.pass[:0]
	for i := range g.all {
		if !g.all[i].answered {
			g.pass = append(g.pass, int32(i))
		}
	}
}

func (g *udpFlows) deadline() clock.Instant {
	if g.ending != nil {
		return g.ending.deadline(true)
	}
	next := clock.Never
	if g.beats {
		next = g.beat.next()
	}
	switch {
	case g.isReady:
		return next
	case g.answered == len(g.all):
		return atOnce
	case g.opener.n < int64(len(g.pass)):
		return min(next, g.opener.next())
	}
	return min(next, g.opener.next().Add(plan.FlowPause))
}

func (g *udpFlows) fire(now clock.Instant) {
	if g.ending != nil {
		g.line.count(func(t *trace.Totals) {
			t.Failed += len(g.all) - g.answered
			t.Sessions -= g.answered
		})
		g.ending.finished()
		return
	}
	if !g.isReady {
		g.fireOpening(now)
	}
	if g.beats {
		g.beat.due(now, forever, func(intended clock.Instant, n int64) { g.send(int(n%int64(len(g.all))), intended) })
	}
}

func (g *udpFlows) fireOpening(now clock.Instant) {
	g.opener.due(now, int64(len(g.pass)), func(intended clock.Instant, n int64) { g.send(int(g.pass[n]), intended) })
	passed := g.opener.n == int64(len(g.pass)) && now >= g.opener.next().Add(plan.FlowPause)
	switch {
	case g.answered == len(g.all), passed && g.passes == plan.FlowPasses:
		g.pass = nil
		g.ready()
	case passed:
		g.beginPass(now)
	}
}

func (g *udpFlows) finish(_ clock.Instant, e *ending) { g.ending = e }

func (g *udpFlows) breakOff(clock.Instant) {
	g.line.count(func(t *trace.Totals) { t.Sessions -= g.answered })
}

func (g *udpFlows) resume(_, now clock.Instant) {
	g.resumed = now
	if g.beats {
		g.beat.skip(now)
	}
}

func (g *udpFlows) id(i int) flowID {
	return flowID{line: g.line, client: g.client, number: g.numbers[i], local: g.guests.source(i)}
}

func (g *udpFlows) send(i int, intended clock.Instant) {
	f := &g.all[i]
	g.guests.send(i, stamp{run: g.line.run, flow: g.line.wire(g.numbers[i]), seq: f.seq, intended: intended})
	f.seq++
	g.line.sent()
}

// receive takes an answer to the flow that has the address and port.
func (g *udpFlows) receive(now clock.Instant, to netip.AddrPort, block []byte) {
	i, known := g.guests.flowOf(to)
	if !known || i >= len(g.all) {
		return
	}
	f := &g.all[i]
	got, backend, err := checkAnswer(block, g.line.run, g.line.wire(g.numbers[i]))
	switch {
	case err != nil && !f.corrupt:
		f.corrupt = true
		g.line.count(func(t *trace.Totals) { t.Corrupt++ })
		g.id(i).event(now, trace.TrafficCorrupt, err.Error(), string(backend))
	case err == nil:
		g.line.received(max(got.intended, g.resumed), now)
		g.noteAnswer(i, now, backend)
	}
}

func (g *udpFlows) noteAnswer(i int, now clock.Instant, backend []byte) {
	f := &g.all[i]
	if !f.answered {
		f.answered = true
		g.answered++
		g.line.count(func(t *trace.Totals) { t.Opened++; t.Sessions++ })
	} else if string(backend) != f.backend {
		g.line.count(func(t *trace.Totals) { t.Moved++ })
		g.id(i).event(now, trace.TrafficMoved, "from "+f.backend, string(backend))
	}
	if string(backend) != f.backend {
		f.backend = string(backend)
	}
}
