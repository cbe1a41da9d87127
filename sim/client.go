package sim

import (
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// phase is the phase of a client's connection.
type phase uint8

const (
	connecting phase = iota
	established
	closing // everything is answered and our FIN is sent; the backend's is awaited
	ended   // in order, lost, failed, or given up; the socket stays
)

// maxOutstanding bounds the messages of one session that have no echo yet.
const maxOutstanding = 1024

// conn is a TCP connection or an SCTP association of a client: a session, an idle flow, or one short
// connection of a connects line.
type conn struct {
	endpoint
	gen     *generator
	number  int // within the line
	phase   phase
	started clock.Instant // when it was scheduled to begin
	leaving bool          // close once everything is answered
	corrupt bool          // reported
	opened  bool          // the start of the traffic no longer waits for it
	backend uint8         // that of the first echo
	server  uint32        // the other end's index, plus 1; 0 if there is none
	waits   []clock.Instant
	stall   stallMeter
	way     way
	bulk    *transfer // nil if it is not a transfer
}

// since is the instant from which a connection's time limit counts: its scheduled begin, or
// the thaw of its client.
func (c *conn) since() clock.Instant { return max(c.started, c.gen.resumed) }

func (c *conn) short() bool { return c.gen.line.Kind == plan.Connects }

// connect opens a connection.
func (g *generator) connect(number int) *conn {
	c, id := g.w.conns.add()
	*c = conn{gen: g, number: number, started: g.w.now, backend: nobody,
		endpoint: endpoint{id: id, host: g.client, link: onClients, tag: id + 1, unit: requestLen}}
	isn := uint32(0)
	if g.line.Ports > 0 {
		c.tuple = g.w.bindOwn(g.client, g.ownPort(), c.tag, &g.line.service)
		isn = g.w.clockedISN(c.tuple)
	} else {
		c.tuple = g.w.bind(g.client, c.tag, &g.line.service)
		isn = uint32(g.w.random.Uint64())
	}
	e := g.w.queue.push(g.w.now.Add(connectTime), evConnect)
	e.stamp = uint64(id)
	if c.tuple.Proto == flow.SCTP {
		c.endpoint.associate(g.w.now, (*clients)(g.w), tagFrom(uint64(isn)))
		return c
	}
	c.endpoint.open(g.w.now, (*clients)(g.w), isn)
	return c
}

// attempt opens one short connection of a connects line.
func (g *generator) attempt() {
	if g.line.Proto == "udp" {
		g.query()
		return
	}
	if g.line.Ports > 0 {
		g.place++
		if g.taken() {
			return
		}
	}
	c := g.connect(g.numberOf(g.turn))
	g.all = append(g.all, c.id)
	g.turn++
	g.live++
	// Those that have ended are forgotten from time to time.
	if len(g.all) >= 4*max(64, g.live) {
		kept := g.all[:0]
		for _, id := range g.all {
			if g.w.conns.at(id).phase < ended {
				kept = append(kept, id)
			}
		}
		g.all = kept
	}
}

// say sends the message that is due now, whether or not earlier ones
// were answered.
func (c *conn) say() {
	if c.phase != established || len(c.waits) >= maxOutstanding {
		return
	}
	w := c.gen.w
	c.gen.line.totals.Sent++
	if w.exchange(c) {
		return
	}
	c.waits = append(c.waits, w.now)
	c.write(w.now, (*clients)(w), 1)
}

func (c *conn) arrived(p *packet) {
	w := c.gen.w
	if n := &w.hosts[c.host].arp[c.gen.line.service.vip]; n.lb == p.from {
		n.confirmed = w.now
	}
	c.way.find(w, c, p)
	if c.disowns(p) {
		w.refuse(p)
		return
	}
	c.receive(w.now, (*clients)(w), p)
}

// clients is the TCP stack of the clients.
type clients World

func (s *clients) output(e *endpoint, p packet) {
	w := (*World)(s)
	w.send(p, w.conns.at(e.id).gen.line.service.vip)
}

func (s *clients) wake(e *endpoint, at clock.Instant) {
	event := (*World)(s).timers.push(at, evRTO)
	event.who, event.stamp = e.host, uint64(e.id)
}

func (s *clients) connected(e *endpoint) {
	w := (*World)(s)
	if h := &w.hosts[e.host]; h.frozen {
		h.learns(func() { s.connected(e) })
		return
	}
	c := w.conns.at(e.id)
	if c.phase != connecting {
		return // given up before
	}
	c.phase = established
	if c.bulk != nil {
		c.ask()
		return
	}
	if !c.short() {
		c.gen.line.totals.Opened++
		c.gen.line.totals.Sessions++
	}
	if c.leaving {
		c.leave()
		return
	}
	c.say()
}

// readable takes echoes.
func (s *clients) readable(e *endpoint, bytes int, tag uint32, backend uint8) {
	w := (*World)(s)
	if h := &w.hosts[e.host]; h.frozen {
		h.learns(func() { s.readable(e, bytes, tag, backend) })
		return
	}
	c := w.conns.at(e.id)
	if c.bulk != nil {
		c.taken(bytes, tag, backend)
		return
	}
	for ; bytes >= answerLen; bytes -= answerLen {
		c.echo(tag, backend)
	}
	switch {
	case c.short() && c.gen.line.Closer == plan.CloseReset && len(c.waits) == 0 && c.phase == established:
		c.abort()
		c.finish("")
	case c.short() && c.gen.line.Closer == plan.CloseServer:
	case c.leaving || c.short():
		c.leave()
	}
}

func (c *conn) echo(tag uint32, backend uint8) {
	w := c.gen.w
	if c.phase >= ended {
		return
	}
	if len(c.waits) == 0 {
		c.wrong("echo of nothing that was sent", backend)
		return
	}
	intended := c.waits[0]
	c.waits = append(c.waits[:0], c.waits[1:]...)
	if tag != c.tag {
		c.wrong(trace.EchoForeign, backend)
		return
	}
	if c.short() {
		c.gen.line.received(c.since(), w.now)
		c.gen.noteHome(c.number, backend, c.tuple)
		return
	}
	c.gen.line.received(max(intended, c.gen.resumed), w.now)
	if g, late := c.stall.waited(gapTCP, intended, w.now); late {
		c.gen.gap(c.number, g)
	}
	c.noteBackend(backend)
	if c.gen.sample != nil && len(c.waits) == 0 {
		c.gen.sample.noteAnswer(c.number, 0)
	}
}

func (c *conn) noteBackend(backend uint8) {
	before := c.backend
	if before == backend {
		return
	}
	c.backend = backend
	if before == nobody {
		c.open()
		c.event(trace.TrafficOpened, "")
		return
	}
	c.gen.line.totals.Moved++
	c.event(trace.TrafficMoved, "from "+c.gen.w.hosts[before].name)
}

// open ends the wait of the start of the traffic for the connection: it has had an answer, or ended.
func (c *conn) open() {
	if !c.opened && !c.short() && c.bulk == nil {
		c.opened = true
		c.gen.opened()
	}
}

// wrong counts a connection once, however many of its echoes are wrong.
func (c *conn) wrong(why string, backend uint8) {
	if !c.corrupt {
		c.corrupt = true
		c.gen.line.totals.Corrupt++
		c.gen.flowEvent(c.number, trace.TrafficCorrupt, why, backend, c.tuple)
	}
}

func (c *conn) event(event, why string) { c.gen.flowEvent(c.number, event, why, c.backend, c.tuple) }

// leave begins the orderly close as soon as every message has been answered, or at once
// where the session closes its sending side first and reads on.
func (c *conn) leave() {
	if c.leaving = true; c.bulk != nil {
		return // a transfer that has begun goes on
	}
	if c.phase == established && (len(c.waits) == 0 || c.gen.line.Half) {
		c.phase = closing
		w := c.gen.w
		c.close(w.now, (*clients)(w))
	}
}

func (s *clients) halfClosed(e *endpoint) {
	w := (*World)(s)
	if h := &w.hosts[e.host]; h.frozen {
		h.learns(func() { s.halfClosed(e) })
		return
	}
	c := w.conns.at(e.id)
	switch {
	case c.short() && c.gen.line.Closer == plan.CloseServer && c.phase == established && len(c.waits) == 0:
		c.leave()
	case c.phase < closing:
		c.lose("closed by the other end")
	}
}

func (s *clients) finished(e *endpoint) {
	w := (*World)(s)
	if h := &w.hosts[e.host]; h.frozen {
		h.learns(func() { s.finished(e) })
		return
	}
	c := w.conns.at(e.id)
	switch {
	case c.bulk != nil && c.phase < ended:
		c.transferred()
	case c.phase == closing && len(c.waits) > 0:
		c.lose("closed by the other end before its last answer")
	case c.phase == closing:
		c.finish("")
	}
}

func (s *clients) reset(e *endpoint, why string) {
	w := (*World)(s)
	if h := &w.hosts[e.host]; h.frozen {
		h.learns(func() { s.reset(e, why) })
		return
	}
	c := w.conns.at(e.id)
	switch {
	case c.phase >= ended:
	case c.phase == connecting:
		c.abandon(why)
	case c.phase == closing:
		c.lose(why + " while closing")
	default:
		c.lose(why)
	}
}

// expire is called when a connection has had its time to be established and, if
// it is a short one, answered.
func (c *conn) expire() {
	if c.gen.w.now < c.since().Add(connectTime) || c.gen.w.hosts[c.host].frozen {
		return // its time limit was reset when its client thawed
	}
	if c.bulk == nil && c.phase == connecting || c.short() && c.phase < ended {
		c.giveUp()
		if c.gen.line.Ports > 0 { // the port can be reused
			c.abort()
		}
	}
}

// giveUp ends a connection that has timed out. Its socket stays open, so that
// late segments get no RST.
func (c *conn) giveUp() {
	waited := c.gen.w.now.Sub(c.started)
	if len(c.waits) > 0 {
		waited = c.gen.w.now.Sub(c.waits[0])
	}
	switch {
	case c.bulk != nil && c.phase < ended:
		c.runOut()
	case c.phase == connecting:
		c.abandon(trace.Silence(trace.NoConnection, waited))
	case c.phase == established, c.phase == closing && len(c.waits) > 0:
		c.lose(trace.Silence(trace.NoAnswer, waited))
	case c.phase == closing:
		c.finish("the close was not answered")
	}
}

// abort resets the connection.
func (c *conn) abort() {
	w := c.gen.w
	if c.state == tcpEstablished {
		c.send((*clients)(w), rst|ack, c.nxt, 0)
	}
	c.forget()
}

// over marks a connection as ended.
func (c *conn) over() {
	c.phase = ended
	c.open()
	c.gen.live--
	c.gen.checkEnd()
}

// abandon counts a connection that was never established.
func (c *conn) abandon(why string) {
	if c.bulk != nil {
		c.incomplete(why)
		return
	}
	c.gen.line.totals.Failed++
	c.event(trace.TrafficFailed, why)
	c.over()
}

// lose ends a connection that was established and died.
func (c *conn) lose(why string) {
	if c.short() || c.bulk != nil {
		c.abandon(why)
		return
	}
	if c.backend == nobody {
		c.event(trace.TrafficOpened, "")
	}
	c.noteStall(c.gen.w.now)
	c.gen.line.totals.Lost++
	c.gen.line.totals.Sessions--
	c.event(trace.TrafficLost, why)
	if c.gen.sample != nil {
		c.gen.sample.noteEnd(c.number)
	}
	c.over()
}

// noteStall reports how long an ending connection has waited for an answer.
func (c *conn) noteStall(until clock.Instant) {
	if len(c.waits) > 0 {
		if g, late := c.stall.waited(gapTCP, c.waits[0], until); late {
			c.gen.gap(c.number, g)
		}
	}
}

// finish ends a connection in order.
func (c *conn) finish(why string) {
	if c.short() {
		c.gen.line.totals.Opened++
	} else {
		c.gen.line.totals.Sessions--
		c.event(trace.TrafficDone, why)
	}
	c.over()
}
