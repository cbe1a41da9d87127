package traffic

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/scenarios/plan"
)

// serve opens the echo servers of all services on a backend, inside its
// namespace, and hands them to the loop that is to serve the protocol.
func serve(loopOf func(proto string) *loop, backend Backend, services []plan.Service) error {
	name := backend.Host.Name()
	if len(name) > nameLen {
		return fmt.Errorf("traffic: backend name %q is longer than %d bytes", name, nameLen)
	}
	opened := map[string]bool{} // services may share a port
	return backend.Host.Do(func() error {
		for _, s := range services {
			at := netip.AddrPortFrom(backend.Addr, s.Port)
			if key := s.Proto + at.String(); opened[key] {
				continue
			} else {
				opened[key] = true
			}
			if err := serveAt(loopOf(s.Proto), name, s.Proto, at); err != nil {
				return err
			}
		}
		return nil
	})
}

func serveAt(l *loop, name, proto string, at netip.AddrPort) error {
	kind := unix.SOCK_STREAM
	if proto == "udp" {
		kind = unix.SOCK_DGRAM
	}
	fd, err := listen(kind, at)
	if err != nil {
		return fmt.Errorf("%w (backend %s, %s)", err, name, proto)
	}
	if kind == unix.SOCK_DGRAM {
		return l.add(fd, unix.EPOLLIN, &udpServer{loop: l, fd: fd, name: name})
	}
	return l.add(fd, unix.EPOLLIN, &tcpServer{loop: l, fd: fd, name: name})
}

// tcpServer accepts the connections of one listening socket.
type tcpServer struct {
	loop *loop
	fd   int
	name string
}

func (s *tcpServer) ready(clock.Instant, uint32) {
	for {
		fd, _, err := unix.Accept4(s.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return // EAGAIN, or a connection that is gone already
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if s.loop.add(fd, unix.EPOLLIN, &echo{loop: s.loop, fd: fd, name: s.name}) != nil {
			unix.Close(fd)
		}
	}
}

// echo is one accepted connection. It answers every full block of requestLen
// bytes, whatever is in it, and closes after the client has closed its side and
// all answers are out: so a session that ends in order ends without a RST.
type echo struct {
	loop *loop
	fd   int
	name string

	block  [answerLen]byte
	filled int // bytes of the block that have come
	out    outbox
	closed bool // by the client
}

func (e *echo) ready(_ clock.Instant, events uint32) {
	if events&unix.EPOLLOUT != 0 {
		blocked, err := e.out.flush(e.fd)
		if err != nil || (e.closed && !blocked) {
			e.loop.drop(e.fd)
			return
		}
		if !blocked {
			_ = e.loop.watch(e.fd, unix.EPOLLIN)
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP) != 0 && !e.closed {
		e.read()
	}
}

func (e *echo) read() {
	n, err := unix.Read(e.fd, e.loop.buf[:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		e.loop.drop(e.fd)
		return
	case n == 0:
		e.closed = true
		if len(e.out.waiting) == 0 {
			e.loop.drop(e.fd)
		} else {
			_ = e.loop.watch(e.fd, unix.EPOLLOUT)
		}
		return
	}
	blocked := false
	for in := e.loop.buf[:n]; len(in) > 0; {
		taken := copy(e.block[e.filled:requestLen], in)
		in = in[taken:]
		if e.filled += taken; e.filled < requestLen {
			break
		}
		e.filled = 0
		putAnswer(e.block[:], e.name)
		if blocked, err = e.out.write(e.fd, e.block[:]); err != nil {
			e.loop.drop(e.fd)
			return
		}
	}
	if blocked {
		// Not reading meanwhile bounds what waits by what the client may have in flight.
		_ = e.loop.watch(e.fd, unix.EPOLLOUT)
	}
}

// udpServer answers the datagrams of one bound socket.
type udpServer struct {
	loop *loop
	fd   int
	name string
}

// datagramsPerTurn bounds how long one busy socket holds the loop.
const datagramsPerTurn = 64

func (s *udpServer) ready(clock.Instant, uint32) {
	block := s.loop.buf[:answerLen]
	for range datagramsPerTurn {
		n, from, err := unix.Recvfrom(s.fd, block, 0)
		if err == unix.EAGAIN {
			return
		}
		if err != nil || n != requestLen {
			continue // an ICMP error, or nothing that this generator sends
		}
		putAnswer(block, s.name)
		_ = unix.Sendto(s.fd, block, 0, from) // a lost answer is what the client measures
	}
}
