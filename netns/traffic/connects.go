package traffic

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/plan"
)

// connects generates one client's share of a line of short connections: connect, one
// echo, close. The rate does not depend on their outcome. Times count from the intended
// start.
type connects struct {
	loop   *loop
	line   *line
	client *client
	step   int // between consecutive numbers of this client
	number int // of the next attempt, within the line

	lastBackend string // backend of the latest answer
	pace        pacer
	ports       []*attempt // the latest from each port, if the line's ports are limited
	turn        turn       // of the source ports, if they are not
	open        []*attempt // by start; may contain ended ones
	live        int

	resumed clock.Instant // when its client last thawed

	readiness
	ending *ending
}

func newConnects(l *loop, line *line, from *client, c, clients int, free uint16, start clock.Instant, r readiness) *connects {
	return &connects{readiness: r, loop: l, line: line, client: from, number: c, step: clients,
		pace: perSecond(start, line.Rate/float64(clients)), ports: make([]*attempt, line.Ports), turn: newTurn(free, int(line.number))}
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
	g.ready() // connects opens nothing in advance
	g.pace.due(now, forever, func(intended clock.Instant, n int64) {
		g.attempt(intended, n, now)
		g.loop.acted(g.line, intended)
	})
}

// attempt starts a connection, unless its port is still in use.
func (g *connects) attempt(intended clock.Instant, n int64, now clock.Instant) {
	a := &attempt{flowID: flowID{line: g.line, client: g.client, number: g.number}, owner: g, fd: -1, started: intended}
	if len(g.ports) > 0 {
		place := int(n % int64(len(g.ports)))
		if before := g.ports[place]; before != nil && before.phase != ended {
			return
		}
		a.port = plan.OwnPort(int(g.line.number), place)
		g.ports[place] = a
	}
	if !a.begin(now) {
		return
	}
	g.number += g.step
	g.open = append(g.open, a)
}

// nextTimeout returns when the oldest attempt times out. All have the same timeout, so they
// time out in the order of their start.
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
	started clock.Instant // intended start
	port    uint16        // source port, 0 for the next in turn
	in      [answerLen]byte
	filled  int
}

func (a *attempt) dial() (int, error) {
	if a.line.Proto == plan.UDP {
		return a.owner.loop.dialUDP(a.client, a.line.target, unix.EPOLLOUT, a)
	}
	from := func(port uint16) (int, error) {
		return dialers[a.line.Proto](a.owner.loop, a.client, port, a.line.target, a)
	}
	if a.port > 0 {
		return from(a.port)
	}
	return a.owner.turn.dial(from)
}

// begin connects. It returns false if this machine has no port or file for it, which is not the
// fault of the pair.
func (a *attempt) begin(now clock.Instant) bool {
	fd, err := a.dial()
	if slices.ContainsFunc(exhausted, func(one error) bool { return errors.Is(err, one) }) {
		a.phase = ended
		a.line.count(func(t *trace.Totals) { t.Unstarted++ })
		return false
	}
	a.owner.live++
	if a.fd = fd; err != nil {
		a.fail(now, err.Error())
	}
	return true
}

// exhausted are the errors of a connect for which this machine lacks something. A port is not
// available if its previous connection is still known to the kernel.
var exhausted = []error{unix.EADDRNOTAVAIL, unix.EADDRINUSE, unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM}

func (a *attempt) stream() stream { return a.owner.loop.stream(a.fd) }

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

// connected sends the request, which always fits into a new socket's buffer.
func (a *attempt) connected(now clock.Instant) {
	err := a.stream().Failure()
	if err == nil {
		a.phase = established
		a.local = a.stream().Local()
		var b [requestLen]byte
		putRequest(b[:], stamp{run: a.line.run, flow: a.line.wire(a.number), intended: a.started, last: a.line.Closer == plan.CloseServer})
		_, err = a.stream().Write(b[:])
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
	n, err := a.stream().Read(a.in[a.filled:])
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

// answered checks the echo and starts the graceful close: our FIN, then theirs.
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
		a.noteBackend(now, string(backend))
	}
	if a.line.Proto == plan.UDP {
		a.succeed()
		a.owner.loop.drop(a.fd)
		return
	}
	a.phase = closing
	switch a.line.Closer {
	case plan.CloseServer:
	case plan.CloseReset:
		a.stream().Reset()
		a.succeed()
		a.owner.loop.drop(a.fd)
	default:
		a.stream().Shutdown()
	}
}

// noteBackend notes which backend has answered the client, and reports a move if the
// service has affinity.
func (a *attempt) noteBackend(now clock.Instant, backend string) {
	if before := a.owner.lastBackend; a.line.affine && before != "" && before != backend {
		a.line.count(func(t *trace.Totals) { t.Moved++ })
		a.event(now, trace.TrafficMoved, "from "+before, backend)
	}
	a.owner.lastBackend = backend
}

// giveUp fails an attempt that has timed out. Its socket stays open (see discard), unless
// its port is needed again: then it is reset.
func (a *attempt) giveUp(now clock.Instant) {
	switch waited := now.Sub(a.started); a.phase {
	case connecting:
		a.failed(now, trace.Silence(trace.NoConnection, waited))
	case established:
		a.failed(now, trace.Silence(trace.NoAnswer, waited))
	case closing:
		a.succeed() // answered; only the other side's FIN is missing
	default:
		return
	}
	if a.line.Proto == plan.UDP {
		a.owner.loop.drop(a.fd)
	}
	if a.port > 0 { // the port is needed again
		a.stream().Reset()
		a.owner.loop.drop(a.fd)
	}
}

// succeed ends an attempt that was answered.
func (a *attempt) succeed() {
	a.end()
	a.line.count(func(t *trace.Totals) { t.Opened++ })
}

// fail ends an attempt after an error of its socket.
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
