package traffic

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// probe generates one client's UDP flow at a fixed rate and measures its
// outages (see outageMeter). A probe counts as answered if its answer arrives,
// by the kernel's receive stamp, within the gap threshold of its sending.
type probe struct {
	flowID
	loop *loop
	fd   int
	wire uint32

	pace    pacer
	flight  []flight // probes not yet settled, oldest first
	settled uint64   // sequence number of flight[0]
	meter   outageMeter
	stamps  hostclock.Translator
	backend string
	corrupt bool
	control [64]byte // for the receive stamp

	readiness
	ending *ending
	ended  clock.Instant // when the last probe had been sent
	latest clock.Instant // when an answer was read last
	// nextLook is when the socket is read next, once the probe is ending.
	nextLook clock.Instant
}

// quiet is how long no answer must have come before a probe's end: those that a
// busy host still carries are counted.
const quiet = 100 * time.Millisecond

// flight is one probe on its way.
type flight struct {
	sent     clock.Instant
	answered bool // in time
}

// newProbe opens the flow's socket.
func newProbe(l *loop, line *line, from *client, number int, start clock.Instant, r readiness) (*probe, error) {
	p := &probe{readiness: r, flowID: flowID{line: line, client: from, number: number}, loop: l,
		wire: line.wire(number), pace: perSecond(start, line.Rate), meter: outageMeter{threshold: line.threshold}}
	p.pace.grid = 0
	// The socket is read once an interval, since the kernel has stamped what came.
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
		p.readiness.ready() // nobody answers; that is for the checks to judge
	}
	p.pace.due(now, forever, func(intended clock.Instant, seq int64) { p.send(intended, uint64(seq)) })
}

// send sends one probe. What the socket answers (an unreachable host, a full
// queue) is not looked at: the missing answer says it.
func (p *probe) send(intended clock.Instant, seq uint64) {
	var b [requestLen]byte
	putRequest(b[:], stamp{run: p.line.run, flow: p.wire, seq: seq, intended: intended})
	p.flight = append(p.flight, flight{sent: hostclock.Now()})
	p.line.sent()
	_, _ = unix.Write(p.fd, b[:])
}

// settle decides the probes whose time to be answered has passed.
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

// arrival is when the kernel received a datagram, from its control message.
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
	if err != nil {
		if !p.corrupt {
			p.corrupt = true
			p.line.count(func(t *trace.Totals) { t.Corrupt++ })
			p.event(at, trace.TrafficCorrupt, err.Error(), p.backend)
		}
		return
	}
	p.latest = hostclock.Now()
	p.line.received(got.intended, at)
	// The index of a probe that is settled wraps around to beyond the end.
	if i := got.seq - p.settled; i < uint64(len(p.flight)) {
		f := &p.flight[i]
		f.answered = at.Sub(f.sent) <= p.line.threshold
	}
	p.noteBackend(at, backend)
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

// pause reports the outage that is open at an instant from which on the client does
// nothing, and forgets what was on its way.
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

// resume goes on with the next sequence number, so that a late answer is known as one.
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
