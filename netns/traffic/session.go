package traffic

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
)

// phase is the state of a client's connection.
type phase uint8

const (
	connecting phase = iota
	established
	closing // all answered and our FIN sent; the backend's FIN is awaited
	ended   // gracefully, lost, failed, or given up
)

// maxOutstanding limits the unanswered messages of one session. At the limit a session
// skips messages until an echo comes.
const maxOutstanding = 1024

// session is one long-lived connection of a sessions line.
type session struct {
	flowID
	loop  *loop
	owner *sessions
	fd    int
	phase phase
	wire  uint32 // identifies the flow in its messages
	sent  uint32 // flow that the latest message names

	started clock.Instant // intended time of the connect
	opening bool          // Start waits for it
	ending  bool          // closes once everything is answered
	backend string        // the backend of the first echo
	next    uint64        // sequence number of the next message
	unacked []clock.Instant
	out     outbox
	in      [answerLen]byte
	filled  int // bytes of in received
	stall   stallMeter
	corrupt bool // reported
}

// open begins to connect; intended is the scheduled instant.
func (s *session) open(intended, now clock.Instant) {
	s.started = intended
	fd, err := dialers[s.line.Proto](s.loop, s.client, 0, s.line.target, s)
	s.fd = fd
	if err != nil {
		s.fail(now, err.Error())
	}
}

func (s *session) stream() stream { return s.loop.stream(s.fd) }

func (s *session) ready(now clock.Instant, events uint32) {
	switch {
	case s.phase == ended:
		discard(s.loop, s.fd, events)
	case s.phase == connecting:
		s.connected(now)
	default:
		if events&unix.EPOLLOUT != 0 && !s.flush(now) {
			return
		}
		if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			s.read(now)
		}
	}
}

func (s *session) connected(now clock.Instant) {
	if err := s.stream().Failure(); err != nil {
		s.fail(now, err.Error())
		return
	}
	s.local = s.stream().Local()
	s.become(established)
	s.line.count(func(t *trace.Totals) { t.Opened++; t.Sessions++ })
	_ = s.loop.watch(s.fd, unix.EPOLLIN)
	s.send(now, now)
}

// send sends the message of the intended instant, whether or not earlier ones have been
// answered.
func (s *session) send(intended, now clock.Instant) {
	if s.phase != established || len(s.unacked) >= maxOutstanding {
		return
	}
	var b [requestLen]byte
	putRequest(b[:], stamp{run: s.line.run, flow: s.wire, seq: s.next, intended: intended})
	s.sent = flowIn(b[:])
	s.next++
	s.unacked = append(s.unacked, intended)
	s.line.sent()
	blocked, err := s.out.write(s.stream(), b[:])
	if err != nil {
		s.lose(now, err.Error())
	} else if blocked {
		_ = s.loop.watch(s.fd, unix.EPOLLIN|unix.EPOLLOUT)
	}
}

// flush sends what waits. It returns false when the session has ended.
func (s *session) flush(now clock.Instant) bool {
	blocked, err := s.out.flush(s.stream())
	if err != nil {
		s.lose(now, err.Error())
		return false
	}
	if !blocked {
		_ = s.loop.watch(s.fd, unix.EPOLLIN)
	}
	if s.ending {
		s.end()
	}
	return true
}

func (s *session) read(now clock.Instant) {
	n, err := s.stream().Read(s.loop.buf[:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil && s.phase == closing:
		s.lose(now, err.Error()+" while closing")
		return
	case err != nil:
		s.lose(now, err.Error())
		return
	case n == 0 && s.phase == closing && len(s.unacked) > 0:
		s.lose(now, "closed by the other end before its last answer")
		return
	case n == 0 && s.phase == closing:
		s.finish(now, "")
		return
	case n == 0:
		s.lose(now, "closed by the other end")
		return
	}
	for b := s.loop.buf[:n]; len(b) > 0; {
		taken := copy(s.in[s.filled:], b)
		b = b[taken:]
		if s.filled += taken; s.filled == answerLen {
			s.filled = 0
			s.echo(now)
		}
	}
	if s.ending {
		s.end()
	}
}

// echo handles one complete answer.
func (s *session) echo(now clock.Instant) {
	got, backend, err := checkAnswer(s.in[:], s.line.run, s.wire)
	err = blame(err, got, s.wire, s.sent)
	if len(s.unacked) == 0 {
		s.reportCorrupt(now, "echo of nothing that was sent")
		return
	}
	intended, seq := s.unacked[0], s.next-uint64(len(s.unacked))
	s.unacked = append(s.unacked[:0], s.unacked[1:]...)
	if err == nil && (got.seq != seq || got.intended != intended) {
		err = fmt.Errorf("echo of message %d where that of %d was due", got.seq, seq)
	}
	if err != nil {
		s.reportCorrupt(now, err.Error())
		return
	}
	s.line.received(max(intended, s.owner.resumed), now)
	if g, late := s.stall.waited(intended, now); late {
		s.gap(g)
	}
	s.noteBackend(now, backend)
}

// noteBackend reports the session as opened at its first echo, and as moved when an echo
// names another backend than before.
func (s *session) noteBackend(now clock.Instant, name []byte) {
	if string(name) == s.backend {
		return
	}
	before := s.backend
	s.backend = string(name)
	if before == "" {
		s.opened()
		s.event(now, trace.TrafficOpened, "", s.backend)
		return
	}
	s.line.count(func(t *trace.Totals) { t.Moved++ })
	s.event(now, trace.TrafficMoved, "from "+before, s.backend)
}

// reportCorrupt counts a session once, however many of its echoes are wrong.
func (s *session) reportCorrupt(now clock.Instant, why string) {
	if s.corrupt {
		return
	}
	s.corrupt = true
	s.line.count(func(t *trace.Totals) { t.Corrupt++ })
	s.event(now, trace.TrafficCorrupt, why, s.backend)
}

// end begins the graceful close once every message has been answered, or sent if the
// session closes its sending side first.
func (s *session) end() {
	s.ending = true
	if s.phase == established && (len(s.unacked) == 0 || s.line.Half && len(s.out.waiting) == 0) {
		s.become(closing)
		s.stream().Shutdown()
	}
}

// giveUp ends a session that has timed out.
func (s *session) giveUp(now clock.Instant) {
	switch s.phase {
	case connecting:
		s.abandon(now, trace.Silence(trace.NoConnection, now.Sub(s.started)))
	case established:
		s.lose(now, trace.Silence(trace.NoAnswer, now.Sub(s.unacked[0])))
	case closing:
		if len(s.unacked) > 0 {
			s.lose(now, trace.Silence(trace.NoAnswer, now.Sub(s.unacked[0])))
			return
		}
		s.finish(now, "the close was not answered")
	}
}

func rounded(d time.Duration) string { return d.Round(time.Millisecond).String() }

func (s *session) become(p phase) {
	if s.phase = p; p == ended {
		s.opened()
		s.owner.live--
	}
}

// opened ends the wait of Start for this session.
func (s *session) opened() {
	if s.opening {
		s.opening = false
		s.owner.opening--
	}
}

// timeout fails a session that was not established in time. Start stops waiting for a
// session that is established but has no echo.
func (s *session) timeout(now clock.Instant) {
	if s.phase == connecting {
		s.giveUp(now)
	}
	s.opened()
}

// fail ends a session that was never established.
func (s *session) fail(now clock.Instant, why string) {
	if s.fd >= 0 {
		s.loop.drop(s.fd)
	}
	s.abandon(now, why)
}

// abandon counts a session as failed and keeps its socket: see discard.
func (s *session) abandon(now clock.Instant, why string) {
	s.become(ended)
	s.line.count(func(t *trace.Totals) { t.Failed++ })
	s.event(now, trace.TrafficFailed, why, "")
}

// lose ends an established session that died.
func (s *session) lose(now clock.Instant, why string) {
	if s.backend == "" {
		s.event(now, trace.TrafficOpened, "", "")
	}
	s.noteStall(now)
	s.become(ended)
	s.line.count(func(t *trace.Totals) { t.Lost++; t.Sessions-- })
	s.event(now, trace.TrafficLost, why, s.backend)
}

// breakOff ends a session whose client has ended.
func (s *session) breakOff(now clock.Instant) {
	stood := s.phase == established || s.phase == closing
	if s.phase != ended {
		s.become(ended)
	}
	if !stood {
		return
	}
	s.noteStall(now)
	s.line.count(func(t *trace.Totals) { t.Sessions-- })
	s.event(now, trace.TrafficDone, clientEnded, s.backend)
}

// clientEnded is the reason of a flow that is neither lost nor failed but ended with its
// client.
const clientEnded = "its client ended"

// noteStall reports how long an ending session has waited for an answer, if it has.
func (s *session) noteStall(now clock.Instant) {
	if len(s.unacked) > 0 {
		if g, late := s.stall.waited(s.unacked[0], now); late {
			s.gap(g)
		}
	}
}

// finish ends a session gracefully.
func (s *session) finish(now clock.Instant, why string) {
	s.become(ended)
	s.line.count(func(t *trace.Totals) { t.Sessions-- })
	s.event(now, trace.TrafficDone, why, s.backend)
	if why == "" {
		s.loop.drop(s.fd)
	}
}

// discard serves the socket of a session that was lost or given up. If it were closed, the
// kernel would answer late segments with a RST, which would look like a failure. So our
// side is shut down, and the socket is read until the other end closes or the generator is
// torn down.
func discard(l *loop, fd int, events uint32) {
	if events&unix.EPOLLOUT != 0 && events&(unix.EPOLLERR|unix.EPOLLHUP) == 0 {
		l.stream(fd).Shutdown()
		_ = l.watch(fd, unix.EPOLLIN)
		return
	}
	n, err := l.stream(fd).Read(l.buf[:])
	if n == 0 || (err != nil && err != unix.EAGAIN && err != unix.EINTR) {
		l.drop(fd)
	}
}
