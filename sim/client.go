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
	closing // our FIN is sent; waiting for the backend's
	ended   // closed, lost, failed or given up; the socket stays
)

// maxOutstanding bounds the messages of one session that wait for an echo.
const maxOutstanding = 1024

// conn is a TCP connection or an SCTP association of a client: a session, an idle flow, or one short
// connection of a connects line.
type conn struct {
	endpoint
	gen     *generator
	number  int // within the line
	phase   phase
	started clock.Instant   // scheduled start
	leaving bool            // close once everything is answered
	corrupt bool            // a wrong echo was reported
	opened  bool            // StartTraffic no longer waits for it
	backend uint8           // that sent the latest echo; nobody before the first
	server  uint32          // index of the backend's end plus 1; 0 if there is none
	waits   []clock.Instant // send times of the messages without an echo
	stall   stallMeter
	way     way
	bulk    *transfer // nil if it is not a transfer
}

// since is the start of a connection's time limit: its scheduled start, or the thaw of its
// client if that is later.
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
	// Remove ended connections from time to time.
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

// say sends a message, whether or not earlier ones were answered.
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
		h.afterThaw(func() { s.connected(e) })
		return
	}
	c := w.conns.at(e.id)
	if c.phase != connecting {
		return // already given up
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

// readable handles received echoes.
func (s *clients) readable(e *endpoint, bytes int, tag uint32, backend uint8) {
	w := (*World)(s)
	if h := &w.hosts[e.host]; h.frozen {
		h.afterThaw(func() { s.readable(e, bytes, tag, backend) })
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

// open tells the generator, once, that StartTraffic need not wait for this connection any more:
// it has had an answer or has ended.
func (c *conn) open() {
	if !c.opened && !c.short() && c.bulk == nil {
		c.opened = true
		c.gen.opened()
	}
}

// wrong counts a connection as corrupt, at most once.
func (c *conn) wrong(why string, backend uint8) {
	if !c.corrupt {
		c.corrupt = true
		c.gen.line.totals.Corrupt++
		c.gen.flowEvent(c.number, trace.TrafficCorrupt, why, backend, c.tuple)
	}
}

func (c *conn) event(event, why string) { c.gen.flowEvent(c.number, event, why, c.backend, c.tuple) }

// leave closes the connection gracefully once every message is answered. A line with Half closes
// its sending side at once and keeps reading.
func (c *conn) leave() {
	if c.leaving = true; c.bulk != nil {
		return // a running transfer continues
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
		h.afterThaw(func() { s.halfClosed(e) })
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
		h.afterThaw(func() { s.finished(e) })
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
		h.afterThaw(func() { s.reset(e, why) })
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

// expire is called when the time limit has passed within which a connection must be established
// and, if it is short, answered.
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

// abandon ends a connection as failed: it was never established, or is short or a transfer.
func (c *conn) abandon(why string) {
	if c.bulk != nil {
		c.incomplete(why)
		return
	}
	c.gen.line.totals.Failed++
	c.event(trace.TrafficFailed, why)
	c.over()
}

// lose ends an established connection that broke.
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

// noteStall records how long a connection that ends has waited for an answer.
func (c *conn) noteStall(until clock.Instant) {
	if len(c.waits) > 0 {
		if g, late := c.stall.waited(gapTCP, c.waits[0], until); late {
			c.gen.gap(c.number, g)
		}
	}
}

// finish ends a connection that was closed gracefully.
func (c *conn) finish(why string) {
	if c.short() {
		c.gen.line.totals.Opened++
	} else {
		c.gen.line.totals.Sessions--
		c.event(trace.TrafficDone, why)
	}
	c.over()
}
