package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/scenarios/latency"
	"baton/scenarios/plan"
)

// The load is that of package netns/traffic: open-loop, intended send times on a
// grid, the same paces, thresholds and timeouts, the same events.
const (
	slot          = time.Millisecond // of the grid
	defaultProbe  = 1000
	defaultPeriod = 100 * time.Millisecond
	gapTCP        = 50 * time.Millisecond
	gapUDP        = 20 * time.Millisecond
	connectTime   = 3 * time.Second
	drainTime     = 5 * time.Second
	totalsEvery   = time.Second

	requestLen = 64
	answerLen  = 96
)

// line is one traffic line of the plan with its running totals.
type line struct {
	plan.Traffic
	service   service
	threshold time.Duration
	totals    trace.Totals
	trips     latency.Histogram
	stretches latency.Stretches
}

// received counts an answer that comes at an instant to what was meant to be sent at another.
func (l *line) received(intended, at clock.Instant) { l.answered(intended, at, answerLen) }

func (l *line) answered(intended, at clock.Instant, bytes uint64) {
	l.totals.Received++
	l.totals.Bytes += bytes
	l.trips.Add(at.Sub(intended))
	l.stretches.Add(at, at.Sub(intended))
}

// generator is one client's share of a line.
type generator struct {
	w      *World
	line   *line
	client uint8 // host
	index  int   // of the client among the clients
	count  int   // connections to be opened at the start

	next   clock.Instant // when it acts next; Never if it waits
	opener pacer
	beat   pacer
	beats  bool
	home   uint8    // of connects: the backend that answered last
	place  int      // of a line with a number of ports: that of the next one
	turn   int      // of the sender of the next beat; of connects the next one's number
	all    []uint32 // what it has opened: connections or datagram flows

	opening int // not yet established or failed
	live    int // not ended
	probe   *probe
	sample  *sample       // of idle flows
	resumed clock.Instant // when its client stood still last
	onEnd   func()        // told once it has ended; may be nil

	ready  bool
	ending bool
	done   bool
	until  clock.Instant // end of the drain time
}

// StartTraffic implements scenarios.World.
func (w *World) StartTraffic(ctx context.Context) error {
	if err := w.addTraffic(); err != nil || len(w.lines) == 0 {
		return err
	}
	w.at(w.now.Add(totalsEvery), w.tick)
	return w.run(ctx, w.now.Add(time.Hour), func() bool { return w.waiting == 0 })
}

func (w *World) addTraffic() error {
	start := w.now.Add(slot + w.random.Between(0, slot))
	for _, t := range w.plan.Traffic {
		if !t.Guard.In(plan.Sim) {
			continue
		}
		l, err := w.newLine(t)
		if err != nil {
			return err
		}
		w.lines = append(w.lines, l)
		if l.From == 0 {
			w.startLine(l, start)
		}
	}
	return nil
}

// startLine starts a line on every client that is there.
func (w *World) startLine(l *line, start clock.Instant) {
	for i := range w.plan.Topo.Clients {
		if w.hosts[2+i].well() {
			w.addGenerator(l, i, start)
		}
	}
}

// Cue implements scenarios.World.
func (w *World) Cue(c plan.Cue) error {
	i := slices.IndexFunc(w.lines, func(l *line) bool { return l.Name == c.Line })
	if i < 0 {
		return fmt.Errorf("sim: no traffic %q", c.Line)
	}
	l := w.lines[i]
	if c.On {
		l.totals.Began = w.now
		w.startLine(l, w.now.Add(slot+w.random.Between(0, slot)))
		return nil
	}
	l.totals.Ended = w.now
	w.finish(w.now.Add(drainTime), func(g *generator) bool { return g.line == l })
	return nil
}

// finish begins to end the generators that are meant and go on still.
func (w *World) finish(until clock.Instant, meant func(*generator) bool) {
	for _, g := range w.generators {
		if !g.ending && meant(g) {
			g.finish(until)
		}
	}
}

func (w *World) newLine(t plan.Traffic) (*line, error) {
	if t.Kind == plan.Probe && t.Rate == 0 {
		t.Rate = defaultProbe
	}
	if t.Kind == plan.Sessions && t.Every == 0 {
		t.Every = defaultPeriod
	}
	l := &line{Traffic: t, threshold: gapTCP, totals: trace.Totals{Name: t.Name, Kind: t.Kind, Proto: t.Proto}}
	if t.Proto == "udp" {
		l.threshold = gapUDP
	}
	for _, s := range w.services {
		if s.Name == t.Service {
			l.service = s
			return l, nil
		}
	}
	return nil, fmt.Errorf("sim: traffic %s: no service %q", t.Name, t.Service)
}

func (w *World) addGenerator(l *line, index int, start clock.Instant) {
	clients := w.plan.Topo.Clients
	g := &generator{w: w, line: l, client: uint8(2 + index), index: index, home: nobody}
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
		w.at(start.Add(connectTime), g.isReady) // nobody answers; that is for the checks to judge
	case l.Kind == plan.Bulk:
		if g.count = share(l.Count, index, clients); g.count > 0 {
			g.beats, g.beat = true, every(start, plan.PortionEvery, g.count)
		}
		g.isReady() // nothing stands for the whole run
	default:
		g.prepare(start, share(l.Count, index, clients))
	}
	g.schedule()
}

// prepare makes a generator of long-lived sessions or idle flows.
func (g *generator) prepare(start clock.Instant, count int) {
	g.count, g.opening, g.live = count, count, count
	pace := float64(plan.SessionsPerSecond)
	if g.line.Count > plan.SessionsPerSecond || g.line.Proto == "udp" {
		pace = plan.FlowsPerSecond
	}
	if g.line.Kind == plan.Flows && g.line.Rate > 0 {
		pace = g.line.Rate / float64(g.w.plan.Topo.Clients)
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
	if g.line.Proto == "udp" && count > 0 {
		last := start.Add(time.Duration(float64(count)/pace*float64(time.Second)) + connectTime)
		g.w.at(last, func() { g.again(1) })
	}
}

// again sends the datagram of each idle flow once more that has no answer, after so many
// passes. The generator is ready when all are answered or the passes are used up.
func (g *generator) again(passes int) {
	if passes == plan.FlowPasses {
		g.isReady()
	}
	if g.ready || g.ending {
		return
	}
	if g.w.hosts[g.client].frozen {
		g.w.at(g.w.now.Add(plan.FlowPause), func() { g.again(passes) })
		return
	}
	last := g.w.now
	for _, id := range g.all {
		if d := g.w.datagrams.at(id); d.backend == nobody {
			last = last.Add(time.Second / plan.FlowsPerSecond)
			g.w.at(last, func() {
				if !g.ending {
					d.send(g.w.now)
				}
			})
		}
	}
	g.w.at(last.Add(plan.FlowPause), func() { g.again(passes + 1) })
}

// share is how many of count things client c of n has: those numbered c, c+n, ….
func share(count, c, n int) int { return (count - c + n - 1) / n }

// numberOf is the number within the line of the i-th thing of this generator.
func (g *generator) numberOf(i int) int { return g.index + i*g.w.plan.Topo.Clients }

func (g *generator) isReady() {
	if !g.ready {
		g.ready = true
		g.w.waiting--
		g.w.dirty = true
	}
}

// opened notes that one of the connections opened at the start stands, or never will.
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

// fire does what is due: one thing at a time.
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

// open opens the next connection or flow of those opened at the start.
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

// finish begins to end the generator: nothing new is sent, what is open closes in
// order, what has no answer when the drain time has passed is lost.
func (g *generator) finish(until clock.Instant) {
	w := g.w
	g.ending, g.until = true, until
	w.ending++
	g.schedule()
	switch {
	case w.hosts[g.client].frozen: // it cannot end in order
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
		if g.line.Kind != plan.Bulk { // what was never opened does not count
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

// StopTraffic implements scenarios.World.
func (w *World) StopTraffic(ctx context.Context) error {
	until := w.now.Add(drainTime)
	w.finish(until, func(*generator) bool { return true })
	if err := w.run(ctx, until, func() bool { return w.ending == 0 }); err != nil {
		return err
	}
	for _, l := range w.lines {
		w.recordTotals(l, true)
	}
	w.generators, w.stopped = nil, true
	return nil
}

// tick records the running totals.
func (w *World) tick() {
	if w.stopped {
		return
	}
	for _, l := range w.lines {
		w.recordTotals(l, false)
	}
	w.at(w.now.Add(totalsEvery), w.tick)
}

func (w *World) recordTotals(l *line, final bool) {
	t := l.totals
	t.Final = final
	if l.trips.Count() > 0 {
		q := l.trips.Quantiles(0.50, 0.99)
		t.RTTp50, t.RTTp99, t.RTTMax = milliseconds(q[0]), milliseconds(q[1]), milliseconds(l.trips.Max())
	}
	until := w.now
	if final {
		until = clock.Never
	}
	t.Latency = l.stretches.Take(until)
	w.record(trace.Event{At: w.now, Kind: trace.KindTotals, Totals: &t})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// flowEvent records what happened to a flow of a line.
func (g *generator) flowEvent(number int, event, why string, backend uint8, t flow.Tuple) {
	e := &trace.Traffic{Name: g.line.Name, Flow: g.flowName(number), Event: event, Why: why,
		Tuple: t.String()}
	if backend != nobody {
		e.Backend = g.w.hosts[backend].name
	}
	g.w.record(trace.Event{At: g.w.now, Node: g.w.hosts[g.client].name, Kind: trace.KindTraffic, Traffic: e})
}

// noteHome notes which backend has answered a connection, and reports a service with affinity
// that has sent its client to another one than before.
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

// A tag names a flow of a client: connections from 1 up, datagram flows with the
// highest bit.
const datagramTag = 1 << 31

func tcpFlow(tag uint32) (id uint32, ok bool) { return tag - 1, tag != 0 && tag < datagramTag }

// flowAt is the connection or the datagram flow of a client with a tuple, as it sends; nil
// for both where its port has another owner.
func (w *World) flowAt(client uint8, t flow.Tuple) (*conn, *datagram) {
	tag := w.hosts[client].sources[familyOf(t.Src)].owner(t.Src, t.SrcPort)
	if id, ok := tcpFlow(tag); ok {
		if c := w.conns.at(id); c.tuple == t {
			return c, nil
		}
	} else if tag != 0 {
		if d := w.datagrams.at(tag &^ datagramTag); d.tuple == t {
			return nil, d
		}
	}
	return nil, nil
}

// receiveAtClient hands a packet to what owns its port.
func (w *World) receiveAtClient(p *packet) {
	switch c, d := w.flowAt(p.to, p.tuple.Reverse()); {
	case c != nil:
		c.arrived(p)
	case d != nil:
		d.arrived(p)
	default:
		w.refuse(p)
	}
}

// refuse answers a TCP segment of no connection with a RST (RFC 9293 3.10.7.1).
func (w *World) refuse(p *packet) {
	if p.tuple.Proto != flow.TCP || p.flags&rst != 0 {
		return
	}
	answer := packet{tuple: p.tuple.Reverse(), flags: rst, link: p.link, from: p.to, origin: p.to, seq: p.ack, tag: p.tag}
	if p.flags&ack == 0 {
		answer.flags, answer.seq = rst|ack, 0
		answer.ack = p.seq + uint32(p.length)
		if p.flags&(syn|fin) != 0 {
			answer.ack++
		}
	}
	w.send(answer, w.wayBack(p))
}

// wayBack is the VIP to which the answer to a packet at a host goes.
func (w *World) wayBack(p *packet) uint8 {
	family := familyOf(p.tuple.Dst)
	want := snatVIP[family]
	if p.link == onClients {
		want = p.tuple.Src
	}
	for i, v := range w.vips {
		if v.link == p.link && v.addr == want {
			return uint8(i)
		}
	}
	return w.snat[family]
}
