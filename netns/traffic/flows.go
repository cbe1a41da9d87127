package traffic

import (
	"fmt"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
)

// udpFlows generates one client's share of a line of idle UDP flows, which are
// there to fill the connection table: each sends one datagram from a source
// port of its own, and again once a period if the line says every. Start counts
// as done when all have been answered, or a while after the last was sent.
type udpFlows struct {
	loop     *loop
	line     *line
	client   *client
	all      []udpFlow
	opener   pacer
	beat     pacer
	beats    bool
	answered int
	openedAt clock.Instant // when the last was opened; 0 before

	readiness
	ending *ending
}

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
	g := &udpFlows{readiness: r, loop: l, line: line, client: from, opener: perSecond(start, flowsPerSecond),
		all: make([]udpFlow, len(numbers))}
	if line.Every > 0 && len(numbers) > 0 {
		g.beats, g.beat = true, every(start, line.Every, len(numbers))
	}
	for i, n := range numbers {
		g.all[i] = udpFlow{owner: g, number: n, fd: -1}
	}
	return g
}

func (g *udpFlows) deadline() clock.Instant {
	if g.ending != nil {
		return g.ending.deadline(true)
	}
	next := clock.Never
	if g.opener.n < int64(len(g.all)) {
		next = g.opener.next()
	} else if !g.isReady {
		next = g.openedAt.Add(g.line.timeouts.Connect)
	}
	if g.beats {
		next = min(next, g.beat.next())
	}
	return min(next, onceTrue(!g.isReady && g.answered == len(g.all)))
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
	for g.opener.n < int64(len(g.all)) {
		intended, n, due := g.opener.take(now)
		if !due {
			break
		}
		g.all[n].open(intended, now)
		g.openedAt = now
	}
	for g.beats {
		intended, n, due := g.beat.take(now)
		if !due {
			break
		}
		g.all[n%int64(len(g.all))].send(intended)
	}
	if g.answered == len(g.all) || (g.openedAt != 0 && now.Sub(g.openedAt) >= g.line.timeouts.Connect) {
		g.ready()
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

func (f *udpFlow) open(intended, now clock.Instant) {
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
