package sim

import (
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// generator is one client's share of a line.
type generator struct {
	w      *World
	line   *line
	client uint8 // host
	index  int   // of the client among those of the line
	of     int   // clients of the line
	count  int   // connections to be opened at the start

	next   clock.Instant // when it acts next; Never if it has nothing to do
	opener pacer         // opens the connections or flows of the start
	beat   pacer         // sends messages, or opens short connections
	beats  bool          // beat is in use
	home   uint8         // connects: the backend that answered last
	place  int           // lines with fixed source ports: counter that selects the next port
	turn   int           // which connection or flow sends at the next beat; connects: number of the next one
	all    []uint32      // ids of the connections or datagram flows that it has opened

	opening int // of the initial ones, those not yet answered or ended
	live    int // not ended
	probe   *probe
	sample  *sample       // of idle flows
	resumed clock.Instant // when its client was last thawed
	onEnd   func()        // called when it has ended; may be nil

	ready  bool          // StartTraffic need not wait for it any more
	ending bool          // nothing new is opened or sent
	done   bool          // everything has ended
	until  clock.Instant // end of the drain time
}

// addGenerator starts a line's share on one of its clients.
func (w *World) addGenerator(l *line, client uint8, start clock.Instant) {
	index, clients := slices.Index(l.senders, client), len(l.senders)
	g := &generator{w: w, line: l, client: client, index: index, of: clients, home: nobody}
	w.generators = append(w.generators, g)
	w.waiting++
	switch {
	case l.Kind == plan.Connects:
		g.beats, g.beat = true, perSecond(start, l.Rate/float64(clients))
		g.isReady() // there is nothing to open in advance
	case l.Kind == plan.Probe:
		g.beats, g.beat = true, perSecond(start, l.Rate)
		g.beat.grid = 0
		g.openProbe()
		w.at(start.Add(connectTime), g.isReady) // even without an answer: the checks judge that
	case l.Kind == plan.Bulk:
		if g.count = share(l.Count, index, clients); g.count > 0 {
			g.beats, g.beat = true, every(start, plan.PortionEvery, g.count)
		}
		g.isReady() // there is nothing to open in advance
	default:
		g.prepare(start, share(l.Count, index, clients))
	}
	g.schedule()
}

// prepare sets up a generator of long-lived sessions or idle flows.
func (g *generator) prepare(start clock.Instant, count int) {
	g.count, g.opening, g.live = count, count, count
	pace := float64(plan.SessionsPerSecond)
	if g.line.Count > plan.SessionsPerSecond || g.line.Proto == "udp" {
		pace = plan.FlowsPerSecond
	}
	if g.line.Kind == plan.Flows && g.line.Rate > 0 {
		pace = g.line.Rate / float64(g.of)
	}
	g.opener = perSecond(start, pace)
	switch {
	case g.line.Kind == plan.Flows:
		if g.sample = newSample(g); len(g.sample.of) > 0 {
			g.beats, g.beat = true, every(start, g.line.SampleEvery(), len(g.sample.of))
		}
	case g.line.Every > 0 && count > 0:
		g.beats, g.beat = true, every(start, g.line.Every, count)
	}
	if count == 0 {
		g.isReady()
	}
	if count == 0 {
		return
	}
	last := start.Add(time.Duration(float64(count)/pace*float64(time.Second)) + connectTime)
	if g.line.Proto == "udp" {
		g.w.at(last, func() { g.again(1) })
	} else {
		g.w.at(last, g.isReady) // even if some have no answer: the checks judge that
	}
}

// share returns how many of count numbered items belong to client c of n: those numbered c, c+n, ….
func share(count, c, n int) int { return (count - c + n - 1) / n }

// numberOf returns the number within the line of the generator's i-th connection or flow.
func (g *generator) numberOf(i int) int { return g.index + i*g.of }

func (g *generator) isReady() {
	if !g.ready {
		g.ready = true
		g.w.waiting--
		g.w.dirty = true
	}
}

// opened notes that one of the initial connections or flows has had an answer or has ended.
func (g *generator) opened() {
	if g.opening--; g.opening == 0 {
		g.isReady()
	}
}

func (g *generator) schedule() {
	g.next = clock.Never
	if g.w.hosts[g.client].frozen || g.ending && (g.line.Kind != plan.Bulk || g.done) {
		return
	}
	if len(g.all) < g.count && g.line.Kind != plan.Bulk {
		g.next = g.opener.at
	}
	if g.beats {
		g.next = min(g.next, g.beat.at)
	}
}

// fire executes the one action that is due.
func (g *generator) fire() {
	if len(g.all) < g.count && g.line.Kind != plan.Bulk && g.opener.at <= g.next {
		g.opener.take()
		g.open()
	} else {
		intended := g.beat.at
		g.beat.take()
		switch g.line.Kind {
		case plan.Connects:
			g.attempt()
		case plan.Probe:
			g.probe.send(intended)
		case plan.Bulk:
			g.portion()
		default:
			g.speak()
		}
	}
	g.schedule()
}

// open opens the next of the initial connections or flows.
func (g *generator) open() {
	if g.line.Proto == "udp" {
		d := g.addDatagram(g.numberOf(len(g.all)))
		g.all = append(g.all, d.id)
		d.send(g.w.now)
		return
	}
	c := g.connect(g.numberOf(len(g.all)))
	g.all = append(g.all, c.id)
}

// speak lets the next session or flow send a message.
func (g *generator) speak() {
	i := g.turn
	g.turn++
	if g.sample != nil {
		g.sample.ask(i)
		return
	}
	if g.turn == g.count {
		g.turn = 0
	}
	if i < len(g.all) {
		g.w.conns.at(g.all[i]).say()
	}
}

// finish starts to end the generator: it sends nothing new and closes open connections gracefully.
// What has no answer by the end of the drain time is lost.
func (g *generator) finish(until clock.Instant) {
	w := g.w
	g.ending, g.until = true, until
	w.ending++
	g.schedule()
	switch {
	case w.hosts[g.client].frozen: // it cannot close gracefully
		g.breakOff(w.hosts[g.client].since)
	case g.line.Kind == plan.Probe:
		w.at(min(until, w.now.Add(gapUDP+1)), g.probe.finish)
	case g.line.Proto == "udp":
		g.line.totals.Failed += g.opening
		g.line.totals.Sessions -= g.count - g.opening
		if g.sample == nil {
			g.end()
			return
		}
		g.sample.askAll()
		w.at(w.now.Add(min(plan.FlowPause, until.Sub(w.now))), g.sample.settle)
	default:
		if g.sample != nil {
			g.sample.askAll()
		}
		for _, id := range g.all {
			w.conns.at(id).leave()
		}
		if g.line.Kind != plan.Bulk { // connections that were never opened do not count
			g.live -= max(0, g.count-len(g.all))
		}
		w.at(until, g.giveUp)
		g.checkEnd()
	}
}

func (g *generator) giveUp() {
	for _, id := range g.all {
		g.w.conns.at(id).giveUp()
	}
}

func (g *generator) checkEnd() {
	if g.ending && g.live == 0 {
		g.end()
	}
}

func (g *generator) end() {
	if g.done {
		return
	}
	g.done = true
	g.w.ending--
	g.w.dirty = true
	if g.onEnd != nil {
		g.onEnd()
	}
}

// flowEvent records what happened to a flow of a line.
func (g *generator) flowEvent(number int, event, why string, backend uint8, t flow.Tuple) {
	e := &trace.Traffic{Name: g.line.Name, Flow: g.flowName(number), Event: event, Why: why,
		Tuple: t.String()}
	if backend != nobody {
		e.Backend = g.w.hosts[backend].name
	}
	g.w.record(trace.Event{At: g.w.now, Node: g.w.hosts[g.client].name, Kind: trace.KindTraffic, Traffic: e})
}

// noteHome notes which backend answered a connection. With affinity it records a client that was
// sent to another backend than before.
func (g *generator) noteHome(number int, backend uint8, t flow.Tuple) {
	if before := g.home; g.line.service.Affinity > 0 && before != nobody && before != backend {
		g.line.totals.Moved++
		g.flowEvent(number, trace.TrafficMoved, "from "+g.w.hosts[before].name, backend, t)
	}
	g.home = backend
}

func (g *generator) gap(number int, found gap) {
	g.w.record(trace.Event{At: found.to, Node: g.w.hosts[g.client].name, Kind: trace.KindGap, Gap: &trace.Gap{
		Name: g.line.Name, Flow: g.flowName(number), Proto: g.line.Proto, From: found.from, To: found.to, Missed: found.missed}})
}

func (g *generator) flowName(number int) string {
	return fmt.Sprintf("%s/%d", g.w.hosts[g.client].name, number)
}
