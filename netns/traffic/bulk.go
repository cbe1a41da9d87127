package traffic

import (
	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// bulk generates one client's share of a line of transfers: count transfers in parallel.
// When a transfer ends, its slot starts the next one. A transfer moves in portions at its
// rate; after an outage it catches up at once.
type bulk struct {
	loop   *loop
	line   *line
	client *client
	all    []*transfer // the latest of each slot
	beat   pacer

	readiness
	ending *ending
}

func newBulk(l *loop, line *line, from *client, numbers []int, start clock.Instant, r readiness) *bulk {
	g := &bulk{readiness: r, loop: l, line: line, client: from}
	for _, n := range numbers {
		g.all = append(g.all, &transfer{flowID: flowID{line: line, client: from, number: n}, owner: g, fd: -1, phase: ended})
	}
	if len(numbers) > 0 {
		g.beat = every(start, plan.PortionEvery, len(numbers))
	}
	return g
}

func (g *bulk) deadline() clock.Instant {
	next := clock.Never
	if len(g.all) > 0 {
		next = g.beat.next()
	}
	if g.ending != nil {
		return min(next, g.ending.deadline(g.live() == 0))
	}
	return min(next, onceTrue(!g.isReady))
}

func (g *bulk) live() (n int) {
	for _, t := range g.all {
		if t.phase != ended {
			n++
		}
	}
	return n
}

func (g *bulk) fire(now clock.Instant) {
	g.ready() // bulk opens nothing in advance
	if len(g.all) > 0 {
		g.beat.due(now, forever, func(intended clock.Instant, n int64) {
			g.portion(int(n%int64(len(g.all))), now)
			g.loop.acted(g.line, intended)
		})
	}
	if g.ending == nil {
		return
	}
	if now >= g.ending.until {
		for _, t := range g.all {
			t.runOut(now)
		}
	}
	if g.live() == 0 {
		g.ending.finished()
	}
}

// portion continues the transfer in a slot, or starts the next one.
func (g *bulk) portion(slot int, now clock.Instant) {
	t := g.all[slot]
	switch {
	case t.phase != ended:
		t.move(now)
	case g.ending == nil && !t.again.After(now):
		next := &transfer{flowID: flowID{line: g.line, client: g.client, number: t.number}, owner: g, fd: -1}
		next.payload.transferID = transferID{run: g.line.run, flow: g.line.wire(t.number), seq: t.payload.seq + 1}
		g.all[slot] = next
		next.begin(now)
	}
}

func (g *bulk) finish(_ clock.Instant, e *ending) { g.ending = e }

func (g *bulk) breakOff(clock.Instant) {
	for _, t := range g.all {
		if t.phase != ended {
			t.end()
		}
	}
}

func (g *bulk) resume(from, now clock.Instant) {
	g.beat.skip(now)
	for _, t := range g.all {
		t.started = t.started.Add(now.Sub(from))
		t.moved = now
	}
}

// transferred counts a complete transfer.
func (l *line) transferred(began, now clock.Instant) {
	l.answered(began, now, uint64(l.Size))
	l.count(func(t *trace.Totals) { t.Opened++ })
}
