package traffic

import (
	"golang.org/x/sys/unix"

	"baton/impl/clock"
)

// portion is how much a backend writes or reads at a time, so that the loop can serve other
// sockets in between.
const portion = 32 << 10

// bulkServer is a backend's end of a transfer. It sends the requested bytes or counts the
// received ones, and then reports its count.
type bulkServer struct {
	*servers
	fd       int
	ask      ask
	payload  payload
	out      outbox
	reported bool
	closed   bool // by the client
}

func (s *bulkServer) ready(_ clock.Instant, events uint32) {
	if events&unix.EPOLLOUT != 0 {
		if _, err := s.out.flush(kernelStream(s.fd)); err != nil {
			s.drop(s.fd)
			return
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		n, err := unix.Read(s.fd, s.loop.buf[:portion])
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
		case err != nil:
			s.drop(s.fd)
			return
		case n == 0:
			s.closed = true
		default:
			s.take(s.loop.buf[:n])
		}
	}
	s.move()
}

// take counts the client's bytes. It does not check them.
func (s *bulkServer) take(b []byte) { s.payload.note(b) }

// move sends a portion, then the report, and closes after the client has closed.
func (s *bulkServer) move() {
	for !s.ask.up && s.payload.count < s.ask.size && len(s.out.waiting) == 0 {
		b := s.loop.buf[:min(portion, s.ask.size-s.payload.count)]
		s.payload.next(b)
		if _, err := s.out.write(kernelStream(s.fd), b); err != nil {
			s.drop(s.fd)
			return
		}
	}
	if whole := s.payload.count >= s.ask.size || s.ask.up && s.closed; whole && !s.reported && len(s.out.waiting) == 0 {
		s.reported = true
		var b [reportLen]byte
		s.payload.putReport(b[:], s.name)
		if _, err := s.out.write(kernelStream(s.fd), b[:]); err != nil {
			s.drop(s.fd)
			return
		}
	}
	events := uint32(unix.EPOLLIN)
	switch {
	case len(s.out.waiting) > 0 && s.closed:
		events = unix.EPOLLOUT
	case len(s.out.waiting) > 0:
		events |= unix.EPOLLOUT
	case s.reported && s.closed:
		s.drop(s.fd)
		return
	}
	_ = s.loop.watch(s.fd, events)
}
