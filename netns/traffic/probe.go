package traffic

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
	"baton/scenarios/once"
)

// probe generates one client's UDP flow at a fixed rate and measures its outages (see
// outageMeter). A probe counts as answered if the kernel's receive timestamp of its answer
// is within the gap threshold of its sending.
type probe struct {
	flowID
	loop *loop
	fd   int
	wire uint32
	sent uint32 // flow that the latest message names

	pace    pacer
	flight  []flight // unsettled probes, oldest first
	settled uint64   // sequence number of flight[0]
	meter   outageMeter
	heard   once.Window // the probes that were answered
	stamps  hostclock.Translator
	backend string
	corrupt bool
	control [64]byte // holds the receive timestamp

	readiness
	ending *ending
	ended  clock.Instant // when the last probe was sent
	latest clock.Instant // when the last answer was read
	// nextLook is when the ending probe reads its socket next.
	nextLook clock.Instant
}

// quiet is how long an ending probe must receive nothing before it closes, so that answers
// delayed by a busy host are counted.
const quiet = 100 * time.Millisecond

// flight is one probe in flight.
type flight struct {
	sent     clock.Instant
	answered bool // in time
}

// newProbe opens the flow's socket.
func newProbe(l *loop, line *line, from *client, number int, start clock.Instant, r readiness) (*probe, error) {
	p := &probe{readiness: r, flowID: flowID{line: line, client: from, number: number}, loop: l,
		wire: line.wire(number), pace: perSecond(start, line.Rate), meter: outageMeter{threshold: line.threshold}}
	p.pace.grid = 0
	// The socket is read once an interval: the kernel timestamps arrivals.
	fd, err := l.dialUDP(from, line.target, 0, p)
	if err != nil {
		return nil, err
	}
	p.fd, p.local = fd, localAddr(fd)
	if err := errors.Join(enlargeReceiveBuffer(fd), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)); err != nil {
		l.drop(fd)
		return nil, err
	}
	line.count(func(t *trace.Totals) { t.Sessions++ })
	return p, nil
}

func (p *probe) deadline() clock.Instant {
	if p.ending != nil && p.ending.done {
		return clock.Never
	}
	if p.ending != nil {
		return min(p.ending.deadline(false), p.nextLook)
	}
	return p.pace.next()
}

func (p *probe) fire(now clock.Instant) {
	p.ready(now, 0)
	p.settle(now)
	if p.ending != nil {
		p.nextLook = now.Add(quiet / 10)
		p.fireEnding(now)
		return
	}
	if now.Sub(p.pace.start) > p.line.timeouts.Connect {
		p.readiness.ready() // unanswered; the checks judge that
	}
	p.pace.due(now, forever, func(intended clock.Instant, seq int64) {
		p.send(intended, uint64(seq))
		p.loop.acted(p.line, intended)
	})
}

// send sends one probe. Its error (an unreachable host, a full queue) is ignored: it shows
// as a missing answer.
func (p *probe) send(intended clock.Instant, seq uint64) {
	var b [requestLen]byte
	putRequest(b[:], stamp{run: p.line.run, flow: p.wire, seq: seq, intended: intended})
	p.sent = flowIn(b[:])
	p.flight = append(p.flight, flight{sent: hostclock.Now()})
	p.line.sent()
	_, _ = unix.Write(p.fd, b[:])
}

// settle settles the probes whose threshold has passed.
func (p *probe) settle(now clock.Instant) {
	n := 0
	for n < len(p.flight) && now.Sub(p.flight[n].sent) > p.line.threshold {
		f := p.flight[n]
		if g, found := p.meter.settle(f.sent, f.answered); found {
			p.gap(g)
		}
		n++
	}
	p.flight = append(p.flight[:0], p.flight[n:]...)
	p.settled += uint64(n)
}

// ready reads the answers that have arrived.
func (p *probe) ready(clock.Instant, uint32) {
	block := p.loop.buf[:answerLen+1]
	for range datagramsPerTurn {
		n, controlLen, _, _, err := unix.Recvmsg(p.fd, block, p.control[:], 0)
		if err == unix.EAGAIN {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier probe
		}
		p.answer(block[:n], p.arrival(p.control[:controlLen]))
	}
}

// arrival returns the kernel's receive timestamp of a datagram.
func (p *probe) arrival(control []byte) clock.Instant {
	messages, err := unix.ParseSocketControlMessage(control)
	if err == nil {
		for _, m := range messages {
			if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
				seconds, nanos := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
				return p.stamps.Instant(int64(seconds)*int64(time.Second) + int64(nanos))
			}
		}
	}
	return hostclock.Now()
}

func (p *probe) answer(b []byte, at clock.Instant) {
	got, backend, err := checkAnswer(b, p.line.run, p.wire)
	if err = blame(err, got, p.wire, p.sent); err != nil {
		if !p.corrupt {
			p.corrupt = true
			p.line.count(func(t *trace.Totals) { t.Corrupt++ })
			p.event(at, trace.TrafficCorrupt, err.Error(), p.backend)
		}
		return
	}
	p.latest = hostclock.Now()
	if p.noteBackend(at, backend); !p.heard.First(got.seq) {
		return // a duplicate is no answer to another probe, nor is it a late one
	}
	p.line.received(got.intended, at)
	// The index of an already settled probe wraps around beyond the end.
	if i := got.seq - p.settled; i < uint64(len(p.flight)) {
		f := &p.flight[i]
		f.answered = at.Sub(f.sent) <= p.line.threshold
	}
}

func (p *probe) noteBackend(at clock.Instant, name []byte) {
	if string(name) == p.backend {
		return
	}
	before := p.backend
	p.backend = string(name)
	if before == "" {
		p.line.count(func(t *trace.Totals) { t.Opened++ })
		p.event(at, trace.TrafficOpened, "", p.backend)
		p.readiness.ready()
		return
	}
	p.line.count(func(t *trace.Totals) { t.Moved++ })
	p.event(at, trace.TrafficMoved, "from "+before, p.backend)
}

// pause reports the outage that is open when the client stops, and drops the probes in
// flight.
func (p *probe) pause(at clock.Instant) {
	p.settle(at)
	if g, open := p.meter.end(at); open {
		p.gap(g)
	}
	p.settled += uint64(len(p.flight))
	p.flight, p.meter = p.flight[:0], outageMeter{threshold: p.line.threshold}
}

func (p *probe) breakOff(now clock.Instant) {
	p.pause(now)
	p.line.count(func(t *trace.Totals) { t.Sessions-- })
	p.event(now, trace.TrafficDone, clientEnded, p.backend)
}

// resume continues with the next sequence number, so that late answers are recognised.
func (p *probe) resume(from, now clock.Instant) {
	p.pause(from)
	p.pace.skip(now)
	p.settled = uint64(p.pace.n)
}

func (p *probe) finish(now clock.Instant, e *ending) { p.ending, p.ended, p.nextLook = e, now, now }

func (p *probe) fireEnding(now clock.Instant) {
	if now < p.ending.until && (len(p.flight) > 0 || now.Sub(max(p.latest, p.ended)) < quiet) {
		return
	}
	if g, open := p.meter.end(p.ended); open {
		p.gap(g)
	}
	p.line.count(func(t *trace.Totals) { t.Sessions-- })
	p.event(now, trace.TrafficDone, "", p.backend)
	p.ending.finished()
}
