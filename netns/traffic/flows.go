package traffic

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
)

// udpFlows generates one client's share of a line of idle UDP flows, which are
// there to fill the connection table: each sends one datagram from a source
// port of its own, and again once a period if the line says every. A flow that
// has no answer sends its datagram again, in passes over all such flows, so that
// a moment of overload does not leave the table short. Start counts as done when
// all are answered or the passes are used up.
type udpFlows struct {
	loop     *loop
	line     *line
	client   *client
	all      []udpFlow
	pass     []*udpFlow // the flows of the present pass
	passes   int        // begun
	opener   pacer      // of the present pass
	beat     pacer
	beats    bool
	answered int

	readiness
	ending *ending
}

// Passes over the flows without an answer: how many, and how long after the end
// of one the next begins.
const (
	maxPasses = 10
	passPause = 300 * time.Millisecond
)

// udpFlow is one flow. It is small, since there are many.
type udpFlow struct {
	owner    *udpFlows
	number   int
	fd       int
	seq      uint64
	backend  string
	answered bool
	corrupt  bool
}

func newUDPFlows(l *loop, line *line, from *client, numbers []int, start clock.Instant, r readiness) *udpFlows {
	g := &udpFlows{readiness: r, loop: l, line: line, client: from, all: make([]udpFlow, len(numbers))}
	if line.Every > 0 && len(numbers) > 0 {
		g.beats, g.beat = true, every(start, line.Every, len(numbers))
	}
	for i, n := range numbers {
		g.all[i] = udpFlow{owner: g, number: n, fd: -1}
	}
	g.beginPass(start)
	return g
}

// beginPass begins a pass over the flows that have no answer.
func (g *udpFlows) beginPass(start clock.Instant) {
	g.passes++
	g.opener = perSecond(start, flowsPerSecond)
	g.pass = g.pass[:0]
	for i := range g.all {
		if !g.all[i].answered {
			g.pass = append(g.pass, &g.all[i])
		}
	}
}

func (g *udpFlows) deadline() clock.Instant {
	if g.ending != nil {
		return g.ending.deadline(true)
	}
	next := clock.Never
	if g.beats {
		next = g.beat.next()
	}
	switch {
	case g.isReady:
		return next
	case g.answered == len(g.all):
		return atOnce
	case g.opener.n < int64(len(g.pass)):
		return min(next, g.opener.next())
	}
	return min(next, g.opener.next().Add(passPause))
}

func (g *udpFlows) fire(now clock.Instant) {
	if g.ending != nil {
		g.line.count(func(t *trace.Totals) {
			t.Failed += len(g.all) - g.answered
			t.Sessions -= g.answered
		})
		g.ending.finished()
		return
	}
	if !g.isReady {
		g.fireOpening(now)
	}
	if g.beats {
		g.beat.due(now, forever, func(intended clock.Instant, n int64) { g.all[n%int64(len(g.all))].send(intended) })
	}
}

func (g *udpFlows) fireOpening(now clock.Instant) {
	g.opener.due(now, int64(len(g.pass)), func(intended clock.Instant, n int64) { g.pass[n].open(intended, now) })
	passed := g.opener.n == int64(len(g.pass)) && now >= g.opener.next().Add(passPause)
	switch {
	case g.answered == len(g.all), passed && g.passes == maxPasses:
		g.pass = nil
		g.ready()
	case passed:
		g.beginPass(now)
	}
}

func (g *udpFlows) finish(_ clock.Instant, e *ending) { g.ending = e }

func (f *udpFlow) id() flowID {
	id := flowID{line: f.owner.line, client: f.owner.client, number: f.number}
	if f.fd >= 0 {
		id.local = localAddr(f.fd)
	}
	return id
}

// open sends the first datagram, or the same again.
func (f *udpFlow) open(intended, now clock.Instant) {
	if f.fd >= 0 {
		f.send(intended)
		return
	}
	fd, err := f.owner.loop.dialUDP(f.owner.client, f.owner.line.target, unix.EPOLLIN, f)
	f.fd = fd
	if err != nil {
		f.id().event(now, trace.TrafficFailed, fmt.Sprintf("open a flow: %v", err), "")
		return
	}
	f.send(intended)
}

func (f *udpFlow) send(intended clock.Instant) {
	if f.fd < 0 {
		return
	}
	line := f.owner.line
	var b [requestLen]byte
	putRequest(b[:], stamp{run: line.run, flow: line.wire(f.number), seq: f.seq, intended: intended})
	f.seq++
	line.sent()
	_, _ = unix.Write(f.fd, b[:]) // the missing answer says what went wrong
}

func (f *udpFlow) ready(now clock.Instant, _ uint32) {
	block := f.owner.loop.buf[:answerLen+1]
	n, err := unix.Read(f.fd, block)
	if err != nil {
		return
	}
	line := f.owner.line
	got, backend, err := checkAnswer(block[:n], line.run, line.wire(f.number))
	switch {
	case err != nil && !f.corrupt:
		f.corrupt = true
		line.count(func(t *trace.Totals) { t.Corrupt++ })
		f.id().event(now, trace.TrafficCorrupt, err.Error(), string(backend))
	case err == nil:
		line.received(now.Sub(got.intended))
		f.noteAnswer(now, backend)
	}
}

func (f *udpFlow) noteAnswer(now clock.Instant, backend []byte) {
	line := f.owner.line
	if !f.answered {
		f.answered = true
		f.owner.answered++
		line.count(func(t *trace.Totals) { t.Opened++; t.Sessions++ })
	} else if string(backend) != f.backend {
		line.count(func(t *trace.Totals) { t.Moved++ })
		f.id().event(now, trace.TrafficMoved, "from "+f.backend, string(backend))
	}
	if string(backend) != f.backend {
		f.backend = string(backend)
	}
}
