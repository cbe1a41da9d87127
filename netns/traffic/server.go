package traffic

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/netns/internal/sctpstack"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// servers are the servers of one backend on one loop.
type servers struct {
	loop *loop
	name string
}

func (s *servers) add(fd int, h handler) error { return s.loop.add(s.name, fd, unix.EPOLLIN, h) }

func (s *servers) drop(fd int) { s.loop.drop(fd) }

// listener is a socket on which a backend serves.
type listener struct {
	proto string
	fd    int
	// For segmentProto: the raw sockets of the answers and the services' addresses.
	out [lab.Families]int
	at  []netip.AddrPort
	// For SCTP: the listener, whose descriptor fd is.
	sctp *sctpstack.Listener
}

// segmentProto stands for TCP without sockets: see responder.
const segmentProto = "segments"

func (l listener) close() {
	if l.sctp != nil {
		l.sctp.Close()
		return
	}
	fds := []int{l.fd}
	if l.proto == segmentProto {
		fds = append(fds, l.out[:]...)
	}
	for _, fd := range fds {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// listen opens the listening sockets of all services on a backend, inside its namespace,
// and a responder's sockets if there are TCP flows without sockets.
func (b Backend) listen(c *Config, stack *sctpstack.Stack) (opened []listener, err error) {
	if name := b.Host.Name(); len(name) > nameLen {
		return nil, fmt.Errorf("traffic: backend name %q is longer than %d bytes", name, nameLen)
	}
	taken := map[string]bool{} // services may share a port
	err = b.Host.Do(func() error {
		var tcp []netip.AddrPort
		open := func(s plan.Service, at netip.AddrPort) error {
			if key := s.Proto + at.String(); taken[key] {
				return nil
			} else {
				taken[key] = true
			}
			l, err := listeners[s.Proto](at, stack)
			if err != nil {
				return fmt.Errorf("%w (backend %s, %s)", err, b.Host.Name(), s.Proto)
			}
			l.proto = s.Proto
			opened = append(opened, l)
			if c.responds() && s.Proto == plan.TCP {
				tcp = append(tcp, at)
				if err := attachFilter(l.fd, notMarked()); err != nil {
					return fmt.Errorf("traffic: leave marked segments to the responder: %w", err)
				}
			}
			return nil
		}
		for _, s := range c.served() {
			all, err := b.at(s, c.Probed)
			if err != nil {
				return err
			}
			for _, at := range all {
				if err := open(s, at); err != nil {
					return err
				}
			}
		}
		if len(tcp) == 0 {
			return nil
		}
		l, err := openSegments(tcp)
		if err == nil {
			opened = append(opened, l)
		}
		return err
	})
	if err != nil {
		for _, l := range opened {
			l.close()
		}
		return nil, err
	}
	return opened, nil
}

// listeners open the listening socket of each protocol, in the thread's namespace.
var listeners = map[string]func(at netip.AddrPort, stack *sctpstack.Stack) (listener, error){
	plan.TCP: func(at netip.AddrPort, _ *sctpstack.Stack) (listener, error) {
		return listenKernel(unix.SOCK_STREAM, at)
	},
	plan.UDP: func(at netip.AddrPort, _ *sctpstack.Stack) (listener, error) {
		return listenKernel(unix.SOCK_DGRAM, at)
	},
	plan.SCTP: func(at netip.AddrPort, stack *sctpstack.Stack) (listener, error) {
		l, err := stack.Listen(at)
		if err != nil {
			return listener{fd: -1}, err
		}
		return listener{fd: l.FD(), sctp: l}, nil
	},
}

func listenKernel(kind int, at netip.AddrPort) (listener, error) {
	fd, err := listen(kind, at)
	return listener{fd: fd}, err
}

// at returns the addresses and ports at which a backend serves a service: its own address, or the
// VIP if it answers clients directly. Nodes that probe such a backend do so at its own address.
func (b Backend) at(s plan.Service, probed bool) (all []netip.AddrPort, err error) {
	if s.Direct() {
		vip, err := netip.ParseAddr(s.VIP)
		if all = append(all, netip.AddrPortFrom(vip, s.Port)); err != nil || !probed {
			return all, err
		}
	}
	i := slices.IndexFunc(b.Addrs, func(a netip.Addr) bool { return lab.FamilyOf(a) == s.BackendFamily() })
	if i < 0 {
		return nil, fmt.Errorf("traffic: backend %s has no %s address for service %s", b.Host.Name(), s.BackendFamily(), s.Name)
	}
	return append(all, netip.AddrPortFrom(b.Addrs[i], s.Port)), nil
}

// serve registers a listening socket of a backend.
func (s *servers) serve(l listener) error {
	switch l.proto {
	case plan.UDP:
		return s.add(l.fd, &udpServer{servers: s, fd: l.fd})
	case segmentProto:
		return s.respond(l)
	case plan.SCTP:
		return s.loop.addSCTP(s.name, l.sctp, &sctpServer{servers: s, Listener: l.sctp})
	}
	return s.add(l.fd, &tcpServer{servers: s, fd: l.fd})
}

// tcpServer accepts the connections of one listening socket.
type tcpServer struct {
	*servers
	fd int
}

func (s *tcpServer) ready(clock.Instant, uint32) {
	for {
		fd, _, err := unix.Accept4(s.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return // EAGAIN, or the connection is already gone
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if s.add(fd, &echo{servers: s.servers, fd: fd}) != nil {
			unix.Close(fd)
		}
	}
}

// echo is one accepted connection. It answers every full block of requestLen bytes,
// whatever its content, and closes after the client has closed its side and all answers are
// sent. So a session that ends gracefully ends without a RST.
type echo struct {
	*servers
	fd int

	block  [answerLen]byte
	filled int // bytes of the block received
	out    outbox
	closed bool // by the client
	last   bool // close after the pending answers
}

func (e *echo) ready(_ clock.Instant, events uint32) {
	if events&unix.EPOLLOUT != 0 {
		blocked, err := e.out.flush(e.loop.stream(e.fd))
		if err != nil || ((e.closed || e.last) && !blocked) {
			e.drop(e.fd)
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

// become turns the connection into a transfer, of which the client has already sent some
// bytes.
func (e *echo) become(a ask, rest []byte) {
	s := &bulkServer{servers: e.servers, fd: e.fd, ask: a, payload: payload{transferID: a.transferID}}
	e.loop.sources[e.fd].handler = s
	_ = unix.SetsockoptInt(e.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, buffered) // on error more waits in the buffer
	s.take(rest)
	s.move()
}

func (e *echo) read() {
	n, err := e.loop.stream(e.fd).Read(e.loop.buf[:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		e.drop(e.fd)
		return
	case n == 0:
		e.closed = true
		if len(e.out.waiting) == 0 {
			e.drop(e.fd)
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
		if a, bulk := parseAsk(e.block[:requestLen]); bulk {
			e.become(a, in)
			return
		}
		e.last = string(e.block[:4]) == lastMagic
		putAnswer(e.block[:], e.name)
		if blocked, err = e.out.write(e.loop.stream(e.fd), e.block[:]); err != nil {
			e.drop(e.fd)
			return
		}
	}
	if e.last && !blocked {
		e.drop(e.fd)
		return
	}
	if blocked {
		// Not reading while answers wait bounds them by what the client may have in flight.
		_ = e.loop.watch(e.fd, unix.EPOLLOUT)
	}
}

// udpServer answers the datagrams of one bound socket.
type udpServer struct {
	*servers
	fd int
}

// datagramsPerTurn limits how long one busy socket occupies the loop.
const datagramsPerTurn = 64

func (s *udpServer) ready(clock.Instant, uint32) {
	block := s.loop.buf[:answerLen]
	for range datagramsPerTurn {
		n, from, err := unix.Recvfrom(s.fd, block, 0)
		if err == unix.EAGAIN {
			return
		}
		if err != nil || n != requestLen {
			continue // an ICMP error, or a foreign datagram
		}
		putAnswer(block, s.name)
		_ = unix.Sendto(s.fd, block, 0, from) // the client measures a lost answer
	}
}
