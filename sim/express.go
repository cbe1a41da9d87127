package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// The express path computes an exchange (request, answer, acknowledgement) in one step instead of
// sending each packet hop by hop through the dataplane's model. It is taken only if nothing can
// interfere: no other event is due before the last packet arrives, the lease holds throughout,
// and the dataplane has the flow as established, so that its packets change no state there except
// the expected sequence numbers. Config.EveryPacket turns it off; a test compares the two.

// way caches a flow's path through a load balancer.
type way struct {
	version uint64        // of the dataplane's contents for which the path is valid; 0 if unknown
	since   clock.Instant // when it was looked up
	lb      uint8
	backend uint8
	back    uint8 // index of the VIP that the backend sends to
	edge    int   // the capture's lane at the backend edge
}

// refresh is how long a cached path is used. After that the flow's packets go through the
// dataplane again, whose entry would time out otherwise.
func (p *process) refresh() time.Duration {
	return min(p.tables.Timeouts.Established, p.tables.Timeouts.Assured) / 4
}

// look caches the path of a flow from its entry in the dataplane that forwarded an answer.
func (v *way) look(w *World, original flow.Tuple, through, backend uint8) {
	v.version = 0
	if through >= 2 || w.cfg.EveryPacket {
		return
	}
	p := w.processes[through]
	if p.dataplane == nil {
		return
	}
	e, ok, err := p.dataplane.Lookup(original)
	if err != nil || !ok || e.State != flow.Established && e.State != flow.Assured || w.hostOf(e.Reply.Src) != backend || e.Reply.Unclaimed() {
		return
	}
	*v = way{version: p.version, since: w.now, lb: through, backend: backend, back: w.gateway(e.Reply.Dst), edge: len(w.vips)}
	if w.vips[v.back].addr == e.Reply.Dst {
		v.edge = int(v.back)
	}
}

func (v *way) find(w *World, c *conn, p *packet) {
	if v.stale(w, p.from) && p.length > 0 {
		v.look(w, c.tuple, p.from, p.backend)
	}
}

func (v *way) findDatagram(w *World, d *datagram, p *packet) {
	if v.stale(w, p.from) {
		v.look(w, d.tuple, p.from, p.backend)
	}
}

func (v *way) stale(w *World, through uint8) bool {
	return through < 2 && (v.version != w.processes[through].version || w.now.Sub(v.since) > w.processes[through].refresh())
}

// open reports whether the cached path is still valid and every neighbour entry leads to
// the same load balancer.
func (v *way) open(w *World, client, vip uint8) bool {
	if v.version == 0 || !w.clear(onClients, client, v.lb) || !w.clear(onBackends, v.backend, v.lb) {
		return false
	}
	if !w.hosts[v.backend].well() {
		return false
	}
	p := w.processes[v.lb]
	if p.version != v.version || w.now.Sub(v.since) > p.refresh() {
		return false
	}
	if !w.leads(client, vip, v.lb) || !w.leads(v.backend, v.back, v.lb) {
		return false
	}
	front, back := &w.capture.lanes[vip], &w.capture.lanes[v.edge]
	return front.node == v.lb && back.node == v.lb && front.frames > 0 && back.frames > 0
}

// forget invalidates the cached paths of flows whose entries a dataplane has removed.
func (w *World) forget(gone []flow.Event) {
	for i := range gone {
		original := gone[i].Entry.Original
		client := w.hostOf(original.Src)
		if client == nobody {
			continue
		}
		switch c, d := w.flowAt(client, original); {
		case c != nil:
			c.way.version = 0
		case d != nil:
			d.way.version = 0
		}
	}
}

// leads reports whether a host's neighbour entry for a VIP is fresh and points to a load balancer.
func (w *World) leads(host, vip, lb uint8) bool {
	n := &w.hosts[host].arp[vip]
	return n.lb == lb && w.now.Sub(n.confirmed) <= n.fresh+arpDelay
}

// hop advances an instant by the lane's delay. It reports false if the lane loses, duplicates or
// impairs the packet.
func (l *lane) hop(at *clock.Instant, salt uint64) bool {
	if l.impaired != nil || l.fate(*at, salt) != arrives {
		return false
	}
	*at = l.arrival(*at)
	return true
}

// interferes reports whether an event or a timer is due by an instant.
func (w *World) interferes(until clock.Instant) bool {
	return until >= w.queue.next() || until > w.limit || until >= w.nextTimer()
}

// exchange computes a session's message, its echo and the acknowledgement of the echo, if nothing
// can interfere.
func (w *World) exchange(c *conn) bool {
	if c.server == 0 || c.assoc != nil || len(c.waits) > 0 || c.una != c.end || c.closing || !c.way.open(w, c.host, c.gen.line.service.vip) {
		return false
	}
	s := w.servers.at(c.server - 1)
	if s.orphan || s.host != c.way.backend || s.state != tcpEstablished || s.una != s.end || s.rcv != c.nxt || c.rcv != s.nxt || s.partial != 0 || s.of != c.tag {
		return false
	}
	request := (&packet{tag: c.tag, flags: ack, seq: c.nxt}).salt()
	echo := (&packet{tag: c.tag, flags: ack, seq: s.nxt}).salt()
	last := (&packet{tag: c.tag, flags: ack, seq: c.nxt + requestLen}).salt()
	v := &c.way
	fromClient, toClient := &w.lanes[onClients][c.host], &w.lanes[onClients][v.lb]
	toBackend, fromBackend := &w.lanes[onBackends][v.lb], &w.lanes[onBackends][v.backend]

	t := w.now
	if !fromClient.hop(&t, request) || !toBackend.hop(&t, request) || !fromBackend.hop(&t, echo) || !toClient.hop(&t, echo) {
		return false
	}
	echoed := t
	if !fromClient.hop(&t, last) {
		return false
	}
	through := t // the last instant at which the lease must hold
	if !toBackend.hop(&t, last) || w.interferes(t) || through >= w.processes[v.lb].until {
		return false
	}

	c.nxt += requestLen
	c.una, c.end = c.nxt, c.nxt
	c.rcv += answerLen
	s.rcv = c.nxt
	s.nxt += answerLen
	s.una, s.end = s.nxt, s.nxt
	w.processes[v.lb].dataplane.Exchanged(c.tuple, c.nxt, s.nxt)
	w.hosts[c.host].arp[c.gen.line.service.vip].confirmed = echoed
	w.hosts[v.backend].arp[v.back].confirmed = t
	w.capture.passed(int(c.gen.line.service.vip), 1, echoed)
	w.capture.passed(v.edge, 2, t)
	c.gen.line.received(w.now, echoed)
	c.stall.longest = 0
	return true
}

// exchangeDatagram computes the exchange of a datagram and its answer, if nothing can interfere.
func (w *World) exchangeDatagram(d *datagram, seq uint32) bool {
	client, vip := d.gen.client, d.gen.line.service.vip
	v := &d.way
	if d.backend != v.backend || !v.open(w, client, vip) {
		return false
	}
	salt := (&packet{tag: d.tag(), seq: seq}).salt()
	t := w.now
	if !w.lanes[onClients][client].hop(&t, salt) || !w.lanes[onBackends][v.lb].hop(&t, salt) {
		return false
	}
	there := t
	if !w.lanes[onBackends][v.backend].hop(&t, salt) {
		return false
	}
	through := t
	if !w.lanes[onClients][v.lb].hop(&t, salt) || w.interferes(t) || through >= w.processes[v.lb].until {
		return false
	}
	w.capture.passed(v.edge, 1, there)
	w.capture.passed(int(vip), 1, t)
	d.answered(t, seq, v.backend)
	return true
}

// passed counts frames that the current forwarder of a lane has sent.
func (c *capture) passed(lane int, frames uint64, last clock.Instant) {
	l := &c.lanes[lane]
	l.frames += frames
	l.last = max(l.last, last)
}
