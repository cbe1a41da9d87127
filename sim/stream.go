package sim

import (
	"time"

	"baton/impl/clock"
	"baton/impl/node"
)

// stream is one TCP connection of the sync stream. Each direction delivers in order and without
// loss: a frame that the link drops delays those behind it until it is retransmitted.
type stream struct {
	w     *World
	sides [2]side // by node
}

// side is one node's end of a stream.
type side struct {
	life  uint64 // of the daemon that owns it
	id    uint64 // stream number known to the daemon
	open  bool
	last  clock.Instant // arrival time of the latest frame that it sent
	stuck [][]byte      // the lost frame and those queued behind it; a nil frame is the end of the stream
	tries int           // retransmissions of the first stuck frame

	resetting bool // a RST is on its way
}

// Timing of the sync stream, after impl/daemon/transport.
const (
	dialRetry        = 50 * time.Millisecond
	dialTimeout      = 250 * time.Millisecond
	refusedRetry     = time.Second          // approximate: the daemon backs off after refusals
	handshakeMin     = 3 * time.Millisecond // TLS, both sides' processor time
	handshakeMax     = 12 * time.Millisecond
	handshakeTimeout = 2 * time.Second
	handshakeBytes   = 1100 // the listener's flight, with its certificate
)

// The lexically smaller node dials.
const dialler, listener = 0, 1

// dial starts to connect, unless the dialling node has a stream or is connecting already.
func (w *World) dial() {
	d := w.processes[dialler]
	if w.dialing || d.core == nil || w.stream != nil && w.stream.sides[dialler].open && w.stream.sides[dialler].life == d.life {
		return
	}
	w.dialing = true
	w.handshake(d.life)
}

// handshake performs the TCP and TLS handshakes for the dialler's daemon of a life.
func (w *World) handshake(life uint64) {
	d := w.processes[dialler]
	again := func(after time.Duration) {
		w.at(w.now.Add(after), func() {
			w.dialing = false
			w.dial()
		})
	}
	w.at(w.now.Add(d.random.Between(handshakeMin, handshakeMax)+w.chaos.dialDelay(d.random)), func() {
		l := w.processes[listener]
		switch {
		case d.life != life:
			w.dialing = false
			w.dial() // another daemon dials from now on
		case d.frozen:
			again(dialRetry)
		case !l.powered || w.drops(onSync, dialler, listener, syncOpens) || w.severed(listener, dialler):
			again(dialTimeout + dialRetry)
		case l.core == nil:
			again(dialRetry) // refused
		case l.frozen:
			// Its kernel accepts the connection; the handshake continues when the process runs.
			w.pendingHandshake = func() { w.handshake(life) }
		case w.exceedsMTU(onSync, listener, dialler, handshakeBytes, syncFrame):
			again(handshakeTimeout + dialRetry)
		case !d.presents.passes(l.presents, w.now):
			again(refusedRetry)
		default:
			w.dialing = false
			w.connect()
		}
	})
}

// continueHandshake continues a handshake that waited for the listener's process to run or end.
func (w *World) continueHandshake(p *process) {
	if shake := w.pendingHandshake; shake != nil && p.index == listener {
		w.pendingHandshake = nil
		shake()
	}
}

// severed reports whether a fault of the sync link drops a frame from one node to the other now.
func (w *World) severed(from, to uint8) bool { return w.drops(onSync, from, to, syncFrame) }

// connect establishes a stream, which replaces the previous one.
func (w *World) connect() {
	s := &stream{w: w}
	w.stream = s
	for i, p := range w.processes {
		s.sides[i] = side{life: p.life, id: w.serial(), open: true}
	}
	// The two daemons learn of it at different instants.
	version := min(w.processes[dialler].speaks, w.processes[listener].speaks)
	for i, p := range w.processes {
		at := w.now.Add(p.random.Between(0, time.Millisecond))
		life, id := p.life, s.sides[i].id
		w.at(at, func() {
			if s.sides[i].open {
				p.input(life, node.Stream{ID: id, Up: true, Version: version})
			}
		})
	}
}

// sendSync sends a frame of a node over its stream, if it has one.
func (w *World) sendSync(p *process, data []byte) {
	if s := w.stream; s != nil && s.sides[p.index].open && s.sides[p.index].life == p.life {
		s.send(p.index, append([]byte(nil), data...))
	}
}

// send sends a frame from a node; a nil frame closes the stream.
func (s *stream) send(from uint8, frame []byte) {
	mine := &s.sides[from]
	if mine.stuck != nil {
		mine.stuck = append(mine.stuck, frame)
		return
	}
	at, ok := s.passes(from, len(frame))
	if !ok {
		mine.stuck = append(mine.stuck, frame)
		s.retry(from)
		return
	}
	s.forward(from, at, frame)
}

// passes reports whether the link lets a segment through now, and when it arrives.
func (s *stream) passes(from uint8, size int) (clock.Instant, bool) {
	w := s.w
	if w.severed(from, 1-from) || !w.processes[1-from].powered || !w.processes[from].powered {
		return 0, false
	}
	c := w.cross(onSync, from, 1-from, syncSalt, headerBytes+size, syncFrame)
	return c.at[0], c.copies > 0
}

// syncSalt distinguishes a sync segment from other packets that leave a host at the same instant.
const syncSalt = 0x517c

// retry retransmits the stuck frames with TCP's exponential backoff.
func (s *stream) retry(from uint8) {
	mine := &s.sides[from]
	wait := min(rtoMin<<min(mine.tries, 20), rtoMax)
	mine.tries++
	s.w.at(s.w.now.Add(wait), func() {
		if mine.stuck == nil {
			return // the host has crashed
		}
		at, ok := s.passes(from, len(mine.stuck[0]))
		if !ok {
			s.retry(from)
			return
		}
		stuck := mine.stuck
		mine.stuck, mine.tries = nil, 0
		for _, frame := range stuck {
			s.forward(from, at, frame)
		}
	})
}

// forward schedules the arrival of a frame, in order.
func (s *stream) forward(from uint8, at clock.Instant, frame []byte) {
	mine := &s.sides[from]
	mine.last = max(mine.last, at)
	e := s.w.queue.push(mine.last, evFrame)
	e.who, e.stream, e.data = 1-from, s, frame
}

// deliver hands a frame or the end of the stream to the receiving node. A frame for a closed side is
// answered with a RST.
func (s *stream) deliver(e *event) {
	mine, theirs := &s.sides[e.who], &s.sides[1-e.who]
	p := s.w.processes[e.who]
	switch {
	case !p.powered:
	case mine.open && mine.life == p.life && p.core != nil && s.w.stream == s:
		if e.data != nil {
			p.input(p.life, node.Message{Stream: mine.id, Data: e.data})
			return
		}
		mine.open = false
		p.input(p.life, node.Stream{ID: mine.id, Why: "closed by the peer"})
		s.w.dial()
	case e.data != nil && theirs.open:
		if !mine.resetting {
			mine.resetting = true
			s.reset(e.who, 0)
		}
	}
}

// reset sends a RST, as the kernel does for a connection without a socket. It crosses the link
// behind earlier segments. If it is lost, the peer's next retransmission triggers another.
func (s *stream) reset(from uint8, tries int) {
	mine, to := &s.sides[from], 1-from
	if !s.sides[to].open {
		return
	}
	at, ok := s.passes(from, 0)
	if !ok {
		s.w.at(s.w.now.Add(min(rtoMin<<min(tries, 20), rtoMax)), func() { s.reset(from, tries+1) })
		return
	}
	s.w.at(max(at, mine.last), func() {
		mine.resetting = false // allows another if this one is dropped by a cut
		s.broken(to, "connection reset by peer")
	})
}

// broken tells a node that its stream has failed.
func (s *stream) broken(index uint8, why string) {
	mine := &s.sides[index]
	p := s.w.processes[index]
	if !mine.open || mine.life != p.life || s.w.severed(1-index, index) {
		return
	}
	mine.open = false
	p.input(p.life, node.Stream{ID: mine.id, Why: why})
	s.w.dial()
}

// resetStream closes a node's stream at the node's request, and dials again.
func (w *World) resetStream(p *process) {
	w.closeStream(p)
	w.at(w.now.Add(dialRetry), w.dial)
}

// closeStream closes a node's sync stream. The peer notices once the link delivers the close.
func (w *World) closeStream(p *process) {
	s := w.stream
	if s == nil || !s.sides[p.index].open || s.sides[p.index].life != p.life {
		return
	}
	s.sides[p.index].open = false
	s.send(p.index, nil)
}

// dropStream drops a crashed node's stream without telling the peer.
func (w *World) dropStream(p *process) {
	if s := w.stream; s != nil && s.sides[p.index].life == p.life {
		s.sides[p.index].open = false
		s.sides[p.index].stuck = nil
	}
}
