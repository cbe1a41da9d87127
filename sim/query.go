package sim

import (
	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// A query is a connects line over UDP: one question from a new port, one answer.

func (g *generator) query() {
	d := g.addDatagram(g.numberOf(g.turn))
	d.query = true
	g.turn++
	d.send(g.w.now)
	g.w.at(g.w.now.Add(connectTime), func() { d.expire(g.w.now.Add(-connectTime)) })
}

// resolved counts an answered query.
func (d *datagram) resolved() {
	if !d.over && !d.gen.done {
		d.over = true
		d.gen.line.totals.Opened++
	}
}

// expire counts a query without an answer within connectTime as failed. A thaw of its client
// restarts the time limit.
func (d *datagram) expire(asked clock.Instant) {
	w := d.gen.w
	since := max(asked, d.gen.resumed)
	switch {
	case d.over || d.gen.done:
	case w.hosts[d.gen.client].frozen || w.now < since.Add(connectTime):
		w.at(max(since.Add(connectTime), w.now.Add(plan.FlowPause)), func() { d.expire(asked) })
	default:
		d.over = true
		d.gen.line.totals.Failed++
		d.gen.flowEvent(d.number, trace.TrafficFailed, trace.Silence(trace.NoAnswer, w.now.Sub(since)), nobody, d.tuple)
	}
}
