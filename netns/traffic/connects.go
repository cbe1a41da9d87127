package traffic

import (
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
)

// connects generates one client's share of a line of short TCP connections, at
// a rate that does not depend on how they fare: connect, one echo, close. The
// time of each counts from the instant at which it was meant to begin.
type connects struct {
	loop   *loop
	line   *line
	client *client
	step   int // between two numbers of this client
	number int // of the next attempt, within the line

	pace pacer
	open []*attempt // in the order of their beginning; those that have ended are skipped
	live int

	resumed clock.Instant // when its client stood still last

	readiness
	ending *ending
}

func newConnects(l *loop, line *line, from *client, c, clients int, start clock.Instant, r readiness) *connects {
	return &connects{readiness: r, loop: l, line: line, client: from, number: c, step: clients,
		pace: perSecond(start, line.Rate/float64(clients))}
}

func (g *connects) deadline() clock.Instant {
	if g.ending != nil {
		return min(g.ending.deadline(g.live == 0), g.nextTimeout())
	}
	return min(g.pace.next(), g.nextTimeout())
}

func (g *connects) fire(now clock.Instant) {
	for g.nextTimeout() <= now {
		g.open[0].giveUp(now)
	}
	if g.ending != nil {
		if now >= g.ending.until {
			for _, a := range g.open {
				a.giveUp(now)
			}
		}
		if g.live == 0 {
			g.ending.finished()
		}
		return
	}
	g.ready() // there is nothing to open in advance
	g.pace.due(now, forever, func(intended clock.Instant, _ int64) {
		a := &attempt{flowID: flowID{line: g.line, client: g.client, number: g.number},
			owner: g, fd: -1, started: intended}
		g.number += g.step
		g.open = append(g.open, a)
		g.live++
		a.begin(now)
	})
}

// nextTimeout is when the oldest attempt has taken too long. All have the same
// time, so they run out in the order in which they began.
func (g *connects) nextTimeout() clock.Instant {
	n := 0
	for n < len(g.open) && g.open[n].phase == ended {
		n++
	}
	g.open = g.open[n:]
	if len(g.open) == 0 {
		return clock.Never
	}
	return max(g.open[0].started, g.resumed).Add(g.line.timeouts.Connect)
}

func (g *connects) breakOff(clock.Instant) {
	for _, a := range g.open {
		if a.phase != ended {
			a.end()
		}
	}
}

func (g *connects) resume(_, now clock.Instant) {
	g.resumed = now
	g.pace.skip(now)
}

func (g *connects) finish(_ clock.Instant, e *ending) { g.ending = e }

// attempt is one short connection.
type attempt struct {
	flowID
	owner   *connects
	fd      int
	phase   phase
	started clock.Instant // the instant at which it was meant to begin
	in      [answerLen]byte
	filled  int
}

func (a *attempt) begin(now clock.Instant) {
	fd, err := a.owner.loop.dialTCP(a.client, a.line.target, a)
	a.fd = fd
	if err != nil {
		a.fail(now, err.Error())
	}
}

func (a *attempt) ready(now clock.Instant, events uint32) {
	switch a.phase {
	case ended:
		discard(a.owner.loop, a.fd, events)
	case connecting:
		a.connected(now)
	default:
		a.read(now)
	}
}

// connected sends the one request, which always fits into a fresh socket's buffer.
func (a *attempt) connected(now clock.Instant) {
	err := socketError(a.fd)
	if err == nil {
		a.phase = established
		a.local = localAddr(a.fd)
		var b [requestLen]byte
		putRequest(b[:], stamp{run: a.line.run, flow: a.line.wire(a.number), intended: a.started})
		_, err = unix.Write(a.fd, b[:])
	}
	if err == nil {
		err = a.owner.loop.watch(a.fd, unix.EPOLLIN)
	}
	if err != nil {
		a.fail(now, err.Error())
		return
	}
	a.line.sent()
}

func (a *attempt) read(now clock.Instant) {
	n, err := unix.Read(a.fd, a.in[a.filled:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil && a.phase == closing:
		a.fail(now, err.Error()+" while closing")
	case err != nil:
		a.fail(now, err.Error())
	case n == 0 && a.phase == closing:
		a.succeed()
		a.owner.loop.drop(a.fd)
	case n == 0:
		a.fail(now, "closed by the other end")
	default:
		if a.filled += n; a.filled == answerLen {
			a.answered(now)
		}
	}
}

// answered checks the echo and begins the orderly close: our FIN, then theirs.
func (a *attempt) answered(now clock.Instant) {
	got, backend, err := checkAnswer(a.in[:], a.line.run, a.line.wire(a.number))
	if err == nil && got.intended != a.started {
		err = errForeign
	}
	if err != nil {
		a.line.count(func(t *trace.Totals) { t.Corrupt++ })
		a.event(now, trace.TrafficCorrupt, err.Error(), string(backend))
	} else {
		a.line.received(max(a.started, a.owner.resumed), now)
	}
	a.phase = closing
	_ = unix.Shutdown(a.fd, unix.SHUT_WR) // an error shows in the read that follows
}

// giveUp fails an attempt whose time has run out. Its socket stays open: see discard.
func (a *attempt) giveUp(now clock.Instant) {
	switch waited := rounded(now.Sub(a.started)); a.phase {
	case connecting:
		a.failed(now, "no connection for "+waited)
	case established:
		a.failed(now, "no answer for "+waited)
	case closing:
		a.succeed() // the answer came; only the end of the other side is slow
	}
}

// succeed ends an attempt that had its answer.
func (a *attempt) succeed() {
	a.end()
	a.line.count(func(t *trace.Totals) { t.Opened++ })
}

// fail ends an attempt by an error of its socket.
func (a *attempt) fail(now clock.Instant, why string) {
	a.failed(now, why)
	if a.fd >= 0 {
		a.owner.loop.drop(a.fd)
	}
}

func (a *attempt) failed(now clock.Instant, why string) {
	a.end()
	a.line.count(func(t *trace.Totals) { t.Failed++ })
	a.event(now, trace.TrafficFailed, why, "")
}

func (a *attempt) end() {
	a.phase = ended
	a.owner.live--
}
