package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/scenarios/once"
)

// datagram is one UDP flow of a client: an idle flow, a probe or a query.
type datagram struct {
	gen     *generator
	id      uint32
	tuple   flow.Tuple
	number  int // within the line
	seq     uint32
	sent    uint32        // tag of the latest datagram
	bound   clock.Instant // when its source port was bound; 0 before the first datagram
	backend uint8         // that sent the latest answer
	corrupt bool          // a wrong answer was reported
	query   bool          // one question, one answer
	over    bool          // its port can be reused
	way     way
	// times are the send times of the latest datagrams, indexed by seq modulo their number,
	// from which the round trip of an answer is computed.
	times [4]clock.Instant
}

func (g *generator) addDatagram(number int) *datagram {
	d, id := g.w.datagrams.add()
	*d = datagram{gen: g, id: id, number: number, backend: nobody}
	d.tuple = g.w.bind(g.client, id|datagramTag, &g.line.service)
	return d
}

// rebind gives a flow a new source port every line.Rebind; it is called before each send.
func (d *datagram) rebind(now clock.Instant) {
	every := d.gen.line.Rebind
	switch {
	case every == 0:
	case d.bound == 0:
		d.bound = now
	case now.Sub(d.bound) >= every:
		w, service := d.gen.w, &d.gen.line.service
		w.unbind(d.gen.client, d.tuple)
		d.tuple, d.way, d.bound = w.bind(d.gen.client, d.tag(), service), way{}, now
	}
}

func (d *datagram) tag() uint32 { return d.id | datagramTag }

// send sends a datagram. A lost datagram shows as a missing answer.
func (d *datagram) send(now clock.Instant) {
	w := d.gen.w
	d.gen.line.totals.Sent++
	seq := d.seq
	d.seq++
	d.times[seq%uint32(len(d.times))] = now
	d.rebind(now)
	if w.exchangeDatagram(d, seq) {
		return
	}
	p := packet{tuple: d.tuple, link: onClients, from: d.gen.client, origin: d.gen.client,
		length: requestLen, seq: seq, tag: d.tag()}
	d.sent = p.tag
	w.send(p, d.gen.line.service.vip)
}

func (d *datagram) arrived(p *packet) {
	w := d.gen.w
	if h := &w.hosts[d.gen.client]; h.frozen {
		late := *p
		h.afterThaw(func() { d.arrived(&late) })
		return
	}
	if p.tag != d.tag() {
		if !d.corrupt {
			d.corrupt = true
			d.gen.line.totals.Corrupt++
			why := trace.EchoForeign
			if p.tag == d.sent {
				why = trace.EchoMixed
			}
			d.gen.flowEvent(d.number, trace.TrafficCorrupt, why, p.backend, d.tuple)
		}
		return
	}
	d.way.findDatagram(w, d, p)
	d.answered(w.now, p.seq, p.backend)
}

// answered handles an answer that arrives at an instant.
func (d *datagram) answered(at clock.Instant, seq uint32, backend uint8) {
	g := d.gen
	if g.probe != nil {
		g.probe.answered(at, seq)
	} else if d.seq-seq <= uint32(len(d.times)) {
		g.line.received(max(d.times[seq%uint32(len(d.times))], g.resumed), at)
	}
	if g.sample != nil {
		g.sample.noteAnswer(d.number, seq)
	}
	if backend == d.backend {
		return
	}
	before := d.backend
	if d.backend = backend; d.query {
		d.resolved()
		g.noteHome(d.number, backend, d.tuple)
		return
	}
	if before == nobody {
		g.line.totals.Opened++
		if g.probe != nil {
			g.flowEvent(d.number, trace.TrafficOpened, "", backend, d.tuple)
			g.isReady()
			return
		}
		g.line.totals.Sessions++
		g.opened()
		return
	}
	g.line.totals.Moved++
	g.flowEvent(d.number, trace.TrafficMoved, "from "+g.w.hosts[before].name, backend, d.tuple)
}

// probe is a UDP flow at a fixed rate that measures outages. A datagram counts as answered if its
// answer arrives within gapUDP after it was sent.
type probe struct {
	*datagram
	flight  []flight // datagrams not yet settled from index first on, oldest first
	first   int      // index of the oldest
	settled uint32   // sequence number of the oldest
	meter   outageMeter
	heard   once.Window // the datagrams that were answered
}

// flight is one datagram of a probe that is not settled.
type flight struct {
	sent     clock.Instant
	answered bool // in time
}

func (g *generator) openProbe() {
	g.probe = &probe{datagram: g.addDatagram(g.index)}
	g.line.totals.Sessions++
}

func (p *probe) send(now clock.Instant) {
	p.settle(now)
	if p.first > 256 {
		p.flight = append(p.flight[:0], p.flight[p.first:]...)
		p.first = 0
	}
	p.flight = append(p.flight, flight{sent: now})
	p.datagram.send(now)
}

// settle decides the datagrams whose answers are overdue.
func (p *probe) settle(now clock.Instant) {
	for p.first < len(p.flight) && now.Sub(p.flight[p.first].sent) > gapUDP {
		f := p.flight[p.first]
		if g, found := p.meter.settle(gapUDP, f.sent, f.answered); found {
			p.gen.gap(p.number, g)
		}
		p.first++
		p.settled++
	}
}

func (p *probe) answered(at clock.Instant, seq uint32) {
	if !p.heard.First(uint64(seq)) {
		return // a duplicate is no answer to another datagram, nor is it a late one
	}
	i := int(seq - p.settled)
	if i < 0 || i >= len(p.flight)-p.first {
		p.gen.line.received(at.Add(-gapUDP-time.Millisecond), at) // late: already settled as unanswered
		return
	}
	f := &p.flight[p.first+i]
	f.answered = at.Sub(f.sent) <= gapUDP
	p.gen.line.received(f.sent, at)
}

func (p *probe) finish() {
	if p.gen.done {
		return // its client has ended
	}
	p.settle(p.gen.w.now)
	if g, open := p.meter.end(gapUDP, p.gen.beat.at); open {
		p.gen.gap(p.number, g)
	}
	p.leave("")
	p.gen.end()
}

func (p *probe) leave(why string) {
	p.gen.line.totals.Sessions--
	p.gen.flowEvent(p.number, trace.TrafficDone, why, p.backend, p.tuple)
}

// pause reports the open outage at the instant when the client stops or freezes, and
// forgets the datagrams in flight.
func (p *probe) pause(at clock.Instant) {
	p.settle(at)
	if g, open := p.meter.end(gapUDP, at); open {
		p.gen.gap(p.number, g)
	}
	p.settled += uint32(len(p.flight) - p.first)
	p.flight, p.first, p.meter = p.flight[:0], 0, outageMeter{}
}
