package traffic

import (
	"fmt"
	"net/netip"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// idleFlows generates one client's share of a line of idle flows, which fill the connection
// table. Each flow has its own address and port but no socket (see guests). It exchanges
// one request and answer; a TCP flow does a handshake first. Unanswered flows are asked
// again in further passes, so that a short overload does not leave the table incomplete.
// Start waits until all are answered or the passes are used up.
//
// Afterwards the flows of the sample are asked once a period, and once more at the end (see
// sample). All others stay idle.
type idleFlows struct {
	line     *line
	client   *client
	guests   *guests
	bindings bindings
	exchange exchange
	numbers  []int // the flows' numbers within the line
	all      []idleFlow
	pass     []int32 // flows of the current pass
	passes   int     // passes begun
	opener   pacer   // of the current pass
	sample   *sample
	answered int           // flows answered and not ended
	opened   int           // flows ever answered
	resumed  clock.Instant // when its client last thawed

	readiness
	ending *ending
}

// idleFlow is one flow. It is small because there are many.
type idleFlow struct {
	seq       uint32 // messages sent; for TCP the next sequence number
	ack       uint32 // for TCP: the next sequence number of the other end
	backend   uint8  // number of its backend (see line.backendNumber); 0 before the first answer
	corrupt   bool
	connected bool // TCP only
	dead      bool
}

// exchange sends the requests of a protocol.
type exchange interface {
	// ask opens the i-th flow or sends it a request, and repeats an unanswered one if the
	// protocol can tell.
	ask(i int, intended clock.Instant)
}

func newIdleFlows(l *loop, line *line, from *client, addrs []netip.Addr, numbers []int, start clock.Instant, r readiness) (*idleFlows, error) {
	g := &idleFlows{readiness: r, line: line, client: from, numbers: numbers, all: make([]idleFlow, len(numbers))}
	if most := len(addrs) * plan.GuestPorts; len(numbers) > most {
		return nil, fmt.Errorf("traffic: %d flows from %d addresses, which have room for %d", len(numbers), len(addrs), most)
	}
	if len(numbers) > 0 {
		g.bindings = newBindings(line.Rebind, len(numbers), len(addrs), len(addrs)*plan.GuestPorts)
		var err error
		if g.guests, err = l.openGuests(from, addrs, line.target); err != nil {
			return nil, err
		}
		if line.Proto == "tcp" {
			x := &segments{g}
			g.exchange, g.guests.segment = x, x.receive
		} else {
			x := &datagrams{g}
			g.exchange, g.guests.datagram = x, x.receive
		}
	}
	g.sample = newSample(g, start)
	g.beginPass(start)
	return g, nil
}

// beginPass starts a pass over the unanswered flows.
func (g *idleFlows) beginPass(start clock.Instant) {
	g.passes++
	g.opener = perSecond(start, g.line.pace(len(g.all)))
	g.pass = g.pass[:0]
	for i := range g.all {
		if g.all[i].backend == 0 && !g.all[i].dead {
			g.pass = append(g.pass, int32(i))
		}
	}
}

func (g *idleFlows) deadline() clock.Instant {
	if g.ending != nil {
		return min(g.ending.deadline(g.sample.settled()), g.sample.deadline(g.ending))
	}
	next := g.sample.beat.next()
	switch {
	case g.isReady:
		return next
	case g.opened == len(g.all):
		return atOnce
	case g.opener.n < int64(len(g.pass)):
		return min(next, g.opener.next())
	}
	return min(next, g.opener.next().Add(plan.FlowPause))
}

func (g *idleFlows) fire(now clock.Instant) {
	if g.ending != nil {
		g.fireEnding(now)
		return
	}
	if !g.isReady {
		g.fireOpening(now)
	}
	g.sample.fire(now)
}

func (g *idleFlows) fireOpening(now clock.Instant) {
	g.opener.due(now, int64(len(g.pass)), func(intended clock.Instant, n int64) { g.exchange.ask(int(g.pass[n]), intended) })
	passed := g.opener.n == int64(len(g.pass)) && now >= g.opener.next().Add(plan.FlowPause)
	switch {
	case g.opened == len(g.all), passed && g.passes == plan.FlowPasses:
		g.pass = nil
		g.ready()
	case passed:
		g.beginPass(now)
	}
}

// finish starts the end of the flows: the sample is asked once more, and a flow still
// unanswered after the drain time is lost.
func (g *idleFlows) finish(now clock.Instant, e *ending) {
	g.ending = e
	g.sample.askAll(now)
}

func (g *idleFlows) fireEnding(now clock.Instant) {
	if now < g.ending.until && !g.sample.settled() {
		g.sample.repeat(now)
		return
	}
	g.sample.giveUp(now)
	g.line.count(func(t *trace.Totals) {
		t.Failed += len(g.all) - g.opened
		t.Sessions -= g.answered
	})
	g.ready()
	g.ending.finished()
}

func (g *idleFlows) breakOff(clock.Instant) {
	g.sample.forget()
	g.line.count(func(t *trace.Totals) { t.Sessions -= g.answered })
}

func (g *idleFlows) resume(_, now clock.Instant) {
	g.resumed = now
	g.sample.beat.skip(now)
}

func (g *idleFlows) id(i int) flowID {
	return flowID{line: g.line, client: g.client, number: g.numbers[i], local: g.guests.source(g.bindings.place(i))}
}

// stamp returns the stamp of a message of the i-th flow.
func (g *idleFlows) stamp(i int, seq uint32, intended clock.Instant) stamp {
	return stamp{run: g.line.run, flow: g.line.wire(g.numbers[i]), seq: uint64(seq), intended: intended}
}

// take handles an answer to the i-th flow. It returns false if the block is not one.
func (g *idleFlows) take(now clock.Instant, i int, block []byte) (stamp, bool) {
	f := &g.all[i]
	got, backend, err := checkAnswer(block, g.line.run, g.line.wire(g.numbers[i]))
	if err != nil {
		if !f.corrupt {
			f.corrupt = true
			g.line.count(func(t *trace.Totals) { t.Corrupt++ })
			g.id(i).event(now, trace.TrafficCorrupt, err.Error(), string(backend))
		}
		return got, false
	}
	g.line.received(max(got.intended, g.resumed), now)
	g.noteAnswer(i, now, string(backend))
	return got, true
}

func (g *idleFlows) noteAnswer(i int, now clock.Instant, backend string) {
	f, number := &g.all[i], g.line.backendNumber(backend)
	switch f.backend {
	case number:
		return
	case 0:
		g.opened++
		g.answered++
		g.line.count(func(t *trace.Totals) { t.Opened++; t.Sessions++ })
	default:
		g.line.count(func(t *trace.Totals) { t.Moved++ })
		g.id(i).event(now, trace.TrafficMoved, "from "+g.line.backends[f.backend-1], backend)
	}
	f.backend = number
}

// end ends a flow that was reset or times out: it is lost if it was ever answered.
func (g *idleFlows) end(i int, now clock.Instant, why string) {
	f := &g.all[i]
	if f.dead = true; f.backend == 0 {
		return // already counted as failed
	}
	g.answered--
	g.line.count(func(t *trace.Totals) { t.Lost++; t.Sessions-- })
	g.id(i).event(now, trace.TrafficLost, why, g.line.backends[f.backend-1])
}
