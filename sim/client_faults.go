package sim

import (
	"context"
	"fmt"
	"slices"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// clientEnded is the reason recorded for open flows of a client that has ended: they count as
// neither lost nor failed.
const clientEnded = "its client ended"

// afterThaw queues an event that a frozen client's programs see after the thaw.
func (h *host) afterThaw(what func()) { h.later = append(h.later, what) }

// generatorsOf returns the generators of a client.
func (w *World) generatorsOf(h *host) []*generator {
	return slices.DeleteFunc(slices.Clone(w.generators), func(g *generator) bool { return g.client != h.index })
}

// ownedConns returns the connections and associations that hold a port of a client.
func (w *World) ownedConns(h *host) []*conn {
	var found []*conn
	for _, from := range h.sources {
		for _, tag := range from.tags() {
			if id, ok := tcpFlow(tag); ok {
				found = append(found, w.conns.at(id))
			}
		}
	}
	return found
}

// crashClient powers a client off: it sends no FIN and no RST.
func (w *World) crashClient(h *host) (string, bool) {
	w.breakOff(h)
	for _, c := range w.ownedConns(h) {
		c.forget()
	}
	gone := h.bound()
	for _, from := range h.sources { // the next port stays where it was: after a boot a client uses other ports
		clear(from.ports)
		clear(from.own)
	}
	h.darken()
	return fmt.Sprintf("carrier down; %d sockets gone", gone), true
}

// killClient ends the programs. The kernel closes their connections and answers further data
// with a RST.
func (w *World) killClient(h *host) (string, bool) {
	if h.ended {
		return "no receipt: no program runs", false
	}
	w.breakOff(h)
	return fmt.Sprintf("%d sockets closed", w.closeAll(h)), true
}

// closeAll closes a client's sockets, as the kernel does for programs that have ended.
func (w *World) closeAll(h *host) int {
	for _, c := range w.ownedConns(h) {
		c.orphan = true
		if c.state == tcpEstablished {
			c.close(w.now, (*clients)(w))
		} else if c.state == tcpSynSent {
			c.forget()
		}
	}
	for _, from := range h.sources {
		for i, tag := range from.ports {
			if _, ok := tcpFlow(tag); !ok {
				from.ports[i] = 0
			}
		}
	}
	h.condition = condition{ended: true, deaf: h.deaf}
	return h.bound()
}

// stopClient closes a client's traffic gracefully and records the receipt when all of it has ended.
func (w *World) stopClient(h *host) {
	began := w.beginFault(trace.Fault{Verb: fault.Stop, Target: h.name, Hosts: []string{h.name}})
	left := w.generatorsOf(h)
	if h.ended || h.frozen || len(left) == 0 {
		w.endFault(began, "no receipt: no program runs", false)
		return
	}
	h.leaving = true
	going := len(left)
	for _, g := range left {
		g.onEnd = func() {
			if going--; going > 0 {
				return
			}
			w.breakOff(h)
			w.closeAll(h)
			w.endFault(began, fmt.Sprintf("%d lines of traffic ended gracefully", len(left)), true)
		}
		if g.done {
			g.onEnd()
		}
	}
	w.finish(w.now.Add(plan.LeaveTime), func(g *generator) bool { return g.client == h.index })
}

// awaitLeave waits until a client that was told to stop has stopped.
func (w *World) awaitLeave(ctx context.Context, h *host) error {
	if !h.leaving {
		return nil
	}
	return w.run(ctx, w.now.Add(receiptLimit), func() bool { return !h.leaving })
}

// breakOff ends a client's traffic at once. Its open sessions count as neither lost nor failed.
func (w *World) breakOff(h *host) {
	at := w.now
	if h.frozen {
		at = h.since
	}
	h.later = nil
	for _, g := range w.generatorsOf(h) {
		g.breakOff(at)
	}
	w.generators = slices.DeleteFunc(slices.Clone(w.generators), func(g *generator) bool { return g.client == h.index })
}

func (w *World) freezeClient(h *host) (string, bool) {
	if !h.well() {
		return "no receipt: no program runs", false
	}
	h.frozen, h.since = true, w.now
	for _, g := range w.generatorsOf(h) {
		g.schedule()
	}
	return "programs stopped", true
}

// thawClient resumes a client's programs, which then handle what arrived during the freeze. Sends
// that were due during the freeze are skipped, and waits do not include it.
func (w *World) thawClient(h *host) (string, bool) {
	if !h.frozen {
		return "no receipt: no program is frozen", false
	}
	h.frozen = false
	later := h.later
	h.later = nil
	for _, g := range w.generatorsOf(h) {
		g.resume()
	}
	for _, learn := range later {
		learn()
	}
	w.startShares(h)
	return "programs run", true
}

func (w *World) restoreClient(h *host) (string, bool) {
	if !h.ended {
		return "no receipt: its programs run", false
	}
	w.wake(h)
	return fmt.Sprintf("links up; %d lines of traffic restarted", w.startShares(h)), true
}

// startShares starts a client's share of each running line, except those already started.
func (w *World) startShares(h *host) (started int) {
	start := w.now.Add(slot + w.random.Between(0, slot))
	for _, l := range w.lines {
		has := slices.ContainsFunc(w.generators, func(g *generator) bool { return g.line == l && g.client == h.index })
		if has || !l.runs() || !slices.Contains(l.senders, h.index) {
			continue
		}
		w.addGenerator(l, h.index, start)
		started++
	}
	return started
}

// runs reports whether a line has started and has not ended.
func (l *line) runs() bool { return (l.From == 0 || l.totals.Began > 0) && l.totals.Ended == 0 }

// breakOff ends the generator because its client ended at an instant.
func (g *generator) breakOff(at clock.Instant) {
	if g.done {
		if g.sample != nil && g.line.runs() {
			g.sample.forget() // the client's next share brings its own sample
		}
		return
	}
	switch {
	case g.probe != nil:
		g.probe.pause(at)
		g.probe.leave(clientEnded)
	case g.line.Proto == "udp":
		g.line.totals.Sessions -= g.count - g.opening
	default:
		for _, id := range g.all {
			g.w.conns.at(id).breakOff(at)
		}
	}
	if g.sample != nil {
		g.sample.forget()
	}
	g.isReady()
	if !g.ending {
		g.ending = true
		g.w.ending++
	}
	g.end()
}

// breakOff ends a connection whose client has ended.
func (c *conn) breakOff(at clock.Instant) {
	stood := c.phase == established || c.phase == closing
	if c.bulk != nil {
		if c.phase < ended {
			c.phase = ended
			c.gen.line.totals.Sessions--
		}
		return
	}
	if c.phase = ended; !stood || c.short() {
		return
	}
	c.noteStall(at)
	c.gen.line.totals.Sessions--
	c.event(trace.TrafficDone, clientEnded)
}

// resume restarts the generator after its client's freeze.
func (g *generator) resume() {
	w := g.w
	g.resumed = w.now
	if g.probe != nil {
		g.probe.pause(w.hosts[g.client].since)
	}
	if g.beats {
		g.beat.skip(w.now)
	}
	if g.line.Proto != plan.UDP {
		for _, id := range g.all {
			c := w.conns.at(id)
			c.stall.end = w.now
			if c.bulk != nil {
				c.started, c.bulk.moved = c.started.Add(w.now.Sub(w.hosts[g.client].since)), w.now
			}
			if c.phase < ended {
				e := w.queue.push(w.now.Add(connectTime), evConnect)
				e.stamp = uint64(id)
			}
		}
	}
	g.schedule()
}
