// Package bfdio moves BFD control packets over UDP as RFC 5881 wants it: port
// 3784, one interface, TTL 255 out and the received TTL reported, with the instant at
// which the kernel took each packet from the link. It does not look
// into packets; that is the core's matter. The daemon's loop owns the sockets and
// calls Receive when their descriptors are readable, so that no other goroutine's
// schedule stands between the wire and the heartbeat.
package bfdio

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"golang.org/x/sys/unix"

	"baton/impl/bfd"
)

// Values of RFC 5881 sections 4 and 5 and RFC 5883 section 5.
const (
	Port         = bfd.ControlPort
	MultihopPort = bfd.MultihopPort
	EchoPort     = bfd.EchoPort
	SendTTL      = bfd.TransmitTTL
	firstPort    = bfd.FirstSourcePort
	lastPort     = bfd.LastSourcePort
)

// tosCS6 is the class selector of network control (RFC 4594 3.1); prioControl is
// the queueing priority that goes with it (TC_PRIO_CONTROL).
const (
	tosCS6      = 0xc0
	prioControl = 7
)

// Config is where one path's session lives.
type Config struct {
	Link        string     // interface; packets of no other one are seen
	Local, Peer netip.Addr // IPv4
	// LocalDiscr has the kernel discard what is not for this session, where it can;
	// 0 leaves all of it to the session.
	LocalDiscr uint32
}

// Socket is one path's pair of descriptors: one that listens on port 3784, and one
// that sends from a port of its own, the same for the session's life. It is not
// safe for concurrent use.
type Socket struct {
	cfg    Config
	rx, tx int
	peer   [4]byte
	to     unix.SockaddrInet4
	in     receiver
	filter *Filter // nil without one

	strangers uint64
}

// Open binds the sockets of a path in the calling thread's network namespace. The
// link must exist; its address may come later.
func Open(cfg Config) (*Socket, error) {
	s := &Socket{cfg: cfg, rx: -1, tx: -1, peer: cfg.Peer.As4()}
	s.to = unix.SockaddrInet4{Port: Port, Addr: s.peer}
	if err := s.open(); err != nil {
		s.Close()
		return nil, fmt.Errorf("bfdio: open %v on %s: %w", cfg.Local, cfg.Link, err)
	}
	s.in.init()
	return s, nil
}

func (s *Socket) open() (err error) {
	if s.rx, err = s.socket(); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(s.rx, unix.SOL_IP, unix.IP_RECVTTL, 1); err != nil {
		return fmt.Errorf("set IP_RECVTTL: %w", err)
	}
	if err := unix.SetsockoptInt(s.rx, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("set SO_TIMESTAMPNS: %w", err)
	}
	if err := unix.Bind(s.rx, &unix.SockaddrInet4{Port: Port, Addr: s.cfg.Local.As4()}); err != nil {
		return fmt.Errorf("bind to port %d: %w", Port, err)
	}
	s.addFilter()
	if s.tx, err = s.socket(); err != nil {
		return err
	}
	for _, o := range []struct {
		name              string
		level, opt, value int
	}{
		{"IP_TTL", unix.SOL_IP, unix.IP_TTL, SendTTL},
		{"IP_TOS", unix.SOL_IP, unix.IP_TOS, tosCS6},
		{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, prioControl}, // after IP_TOS, which sets it too
		{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, 0},               // nobody reads it: keep the least
	} {
		if err := unix.SetsockoptInt(s.tx, o.level, o.opt, o.value); err != nil {
			return fmt.Errorf("set %s: %w", o.name, err)
		}
	}
	return s.bindSource()
}

// socket returns a UDP socket that is tied to the link. FREEBIND lets it take an
// address that the link does not have yet.
func (s *Socket) socket() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("create: %w", err)
	}
	err = unix.BindToDevice(fd, s.cfg.Link)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("tie to the link: %w", err)
	}
	return fd, nil
}

// addFilter has the kernel discard what no session would take. A system that may load
// no programs goes without: the session makes every check itself.
func (s *Socket) addFilter() {
	if s.cfg.LocalDiscr == 0 {
		return
	}
	filter, err := NewFilter(FilterConfig{MinTTL: SendTTL, Peer: s.cfg.Peer})
	if err != nil {
		return
	}
	if filter.Allow(s.cfg.LocalDiscr) != nil || filter.attach(s.rx) != nil {
		filter.Close()
		return
	}
	s.filter = filter
}

// bindSource takes a free source port of the range that RFC 5881 section 4 allows,
// from a random one on.
func (s *Socket) bindSource() error {
	const ports = lastPort - firstPort + 1
	start := rand.IntN(ports)
	for i := range ports {
		port := firstPort + (start+i)%ports
		err := unix.Bind(s.tx, &unix.SockaddrInet4{Port: port, Addr: s.cfg.Local.As4()})
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return fmt.Errorf("bind to source port %d: %w", port, err)
		}
	}
	return fmt.Errorf("bind to a source port: none of %d-%d is free", firstPort, lastPort)
}

// FD is readable when a packet waits.
func (s *Socket) FD() int { return s.rx }

// Send transmits one control packet. An error is what it is on a link that is
// down: the peer will hear nothing, and draw its conclusions.
func (s *Socket) Send(packet []byte) error {
	if err := unix.Sendto(s.tx, packet, unix.MSG_DONTWAIT, &s.to); err != nil {
		return fmt.Errorf("bfdio: send to %v on %s: %w", s.cfg.Peer, s.cfg.Link, err)
	}
	return nil
}

// Receive returns the next packet of the peer, without blocking; ok is false when
// none waits. Packets of other addresses are dropped and counted.
func (s *Socket) Receive() (p Packet, ok bool, err error) {
	for range maxStrangers {
		p, from, err := s.in.receive(s.rx)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return Packet{}, false, nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return Packet{}, false, fmt.Errorf("bfdio: receive on %s: %w", s.cfg.Link, err)
		case from != s.peer:
			s.strangers++
			continue
		}
		return p, true, nil
	}
	return Packet{}, false, nil
}

// maxStrangers bounds what one Receive discards, so that a flood from elsewhere
// cannot hold the loop.
const maxStrangers = 64

// Drops returns how many packets were discarded before the session saw them: by the
// kernel, by reason, and those that came from other addresses than the peer's.
func (s *Socket) Drops() (drops [bfd.DropKinds]uint64, strangers uint64, err error) {
	if s.filter == nil {
		return drops, s.strangers, nil
	}
	drops, strangers, err = s.filter.Drops()
	return drops, s.strangers + strangers, err
}

// Close closes the descriptors.
func (s *Socket) Close() {
	if s.filter != nil {
		s.filter.Close()
		s.filter = nil
	}
	for _, fd := range []int{s.rx, s.tx} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	s.rx, s.tx = -1, -1
}
