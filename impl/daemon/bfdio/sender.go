package bfdio

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Route is the path of a session's control packets.
type Route struct {
	Local, Peer netip.Addr // both IPv4 or both IPv6
	// Link is the interface of a single-hop session; "" leaves the choice to the routing
	// table, as multihop does.
	Link string
	Port int // Port or MultihopPort
}

// Sender transmits one session's control packets from its own source port, which never
// changes. It is not safe for concurrent use.
type Sender struct {
	route Route
	ports *SourcePorts
	port  int // the source port
	fd    int
	to    unix.Sockaddr
}

// OpenSender binds a sender in the calling thread's network namespace to a port allocated
// from ports. A link must exist; its address may be added later.
func OpenSender(r Route, ports *SourcePorts) (*Sender, error) {
	s := &Sender{route: r, ports: ports, fd: -1}
	if err := s.open(); err != nil {
		s.Close()
		return nil, fmt.Errorf("bfdio: open %v to %v: %w", r.Local, r.Peer, err)
	}
	return s, nil
}

func (s *Sender) open() error {
	v6 := s.route.Local.Is6()
	options := []option{
		{"IP_TTL", unix.SOL_IP, unix.IP_TTL, SendTTL},
		{"IP_TOS", unix.SOL_IP, unix.IP_TOS, tosCS6},
	}
	if v6 {
		options = []option{
			{"IPV6_UNICAST_HOPS", unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS, SendTTL},
			{"IPV6_TCLASS", unix.SOL_IPV6, unix.IPV6_TCLASS, tosCS6},
		}
	}
	options = append(options,
		option{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, prioControl}, // after IP_TOS, which sets it too
		option{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, 0})               // never read: as small as possible
	var err error
	if s.fd, err = socket(v6, s.route.Link, options); err != nil {
		return err
	}
	zone, err := linkIndex(s.route.Link)
	if err != nil {
		return err
	}
	s.to = sockaddr(s.route.Peer, s.route.Port, zone)
	s.port, err = s.ports.bind(s.fd, func(port int) unix.Sockaddr { return sockaddr(s.route.Local, port, zone) })
	return err
}

// Send transmits one control packet. An error means that the packet did not leave.
//
// MSG_CONFIRM keeps the peer's neighbour entry valid: under one-way loss its ARP replies do
// not arrive, and if the kernel dropped the entry, the loss would become bidirectional, in
// which neither node knows whether the other is alive.
func (s *Sender) Send(packet []byte) error {
	if err := unix.Sendto(s.fd, packet, unix.MSG_DONTWAIT|unix.MSG_CONFIRM, s.to); err != nil {
		return fmt.Errorf("bfdio: send to %v: %w", s.route.Peer, err)
	}
	return nil
}

// SourcePort returns the source port.
func (s *Sender) SourcePort() int { return s.port }

// Close closes the descriptor and releases the port.
func (s *Sender) Close() {
	if s.fd >= 0 {
		unix.Close(s.fd)
	}
	if s.port != 0 {
		s.ports.release(s.port)
	}
	s.fd, s.port = -1, 0
}
