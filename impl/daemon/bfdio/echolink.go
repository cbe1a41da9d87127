package bfdio

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// EchoLink sends and receives the echo packets of all sessions on one interface, for one IP
// version (RFC 5881 section 4). An echo packet's destination is its sender: the kernel
// would deliver it locally, without the link, and would discard the returning one as
// spoofed. So this is a packet socket, which bypasses routing and reverse-path filters
// (section 2). It is not safe for concurrent use.
type EchoLink struct {
	name     string
	index    int
	v6       bool
	noLLAddr bool // the link has no link-layer addresses, such as a tunnel
	fd       int
	filter   *echoFilter
	damaged  uint64
	in       batch
}

// OpenEchoLink opens the socket in the calling thread's network namespace. The link must
// exist. It needs CAP_NET_RAW, and CAP_BPF for the filter, without which it would receive
// everything that the interface carries. Nothing is received before Allow.
func OpenEchoLink(link string, v6 bool) (*EchoLink, error) {
	l := &EchoLink{name: link, v6: v6, fd: -1}
	l.in.init()
	if err := l.open(); err != nil {
		l.Close()
		return nil, fmt.Errorf("bfdio: open %s for echo packets: %w", link, err)
	}
	return l, nil
}

func (l *EchoLink) open() error {
	link, err := net.InterfaceByName(l.name)
	if err != nil {
		return err
	}
	l.index, l.noLLAddr = link.Index, len(link.HardwareAddr) == 0
	// Protocol 0 until it is bound, so that nothing is received before the filter is
	// attached.
	l.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if err := configure(l.fd, "", []option{
		{"SO_TIMESTAMPNS", unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
		{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, prioControl},
	}); err != nil {
		return err
	}
	if l.filter, err = newEchoFilter(l.v6); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, l.filter.program.FD()); err != nil {
		return fmt.Errorf("attach the filter: %w", err)
	}
	if err := unix.Bind(l.fd, &unix.SockaddrLinklayer{Protocol: l.protocol(), Ifindex: l.index}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

func (l *EchoLink) protocol() uint16 { return etherType(l.v6) }

// etherType returns the EtherType of an IP version in network byte order.
func etherType(v6 bool) uint16 {
	v := uint16(unix.ETH_P_IP)
	if v6 {
		v = unix.ETH_P_IPV6
	}
	return v<<8 | v>>8
}

// Allow allows a session's echo packets to a local address.
func (l *EchoLink) Allow(localDiscr uint32, local netip.Addr) error {
	if err := l.filter.allow(localDiscr, local); err != nil {
		return fmt.Errorf("bfdio: let echo packets for session %d pass to %v on %s: %w", localDiscr, local, l.name, err)
	}
	return nil
}

// Serves reports whether it is the socket of an interface and IP version.
func (l *EchoLink) Serves(link string, v6 bool) bool { return l.name == link && l.v6 == v6 }

// Index returns the interface index.
func (l *EchoLink) Index() int { return l.index }

// FD returns the descriptor, which is readable when packets wait.
func (l *EchoLink) FD() int { return l.fd }

// Receive returns the waiting echo packets, like Listener.Receive; more reports whether
// further ones may wait. It drops damaged packets.
func (l *EchoLink) Receive() (received []Datagram, more bool, err error) {
	n, err := l.in.receive(l.fd)
	if err != nil {
		return nil, false, fmt.Errorf("bfdio: receive echo packets on %s: %w", l.name, err)
	}
	received = l.in.parse(n)
	more = More(received)
	whole := received[:0]
	for i := range received {
		if d, ok := parseEcho(received[i].Data); ok {
			d.Link, d.At = l.index, received[i].At
			whole = append(whole, d)
		}
	}
	l.damaged += uint64(len(received) - len(whole))
	return whole, more, nil
}

// Drops returns how many packets to the echo port of local addresses the kernel has
// dropped: too short, of no session, or from farther away than the peer.
func (l *EchoLink) Drops() (Drops, error) { return l.filter.drops.read() }

// Damaged returns the number of truncated packets and of packets with a wrong checksum.
func (l *EchoLink) Damaged() uint64 { return l.damaged }

// Close closes the descriptor.
func (l *EchoLink) Close() {
	if l.fd >= 0 {
		unix.Close(l.fd)
	}
	l.fd = -1
	l.filter.close()
}

// EchoSender transmits one session's echo packets: on its link, to the peer's link-layer
// address, with an address of this system as destination, so that the peer forwards them
// back (RFC 5881 section 4).
type EchoSender struct {
	link          *EchoLink
	source, local netip.Addr
	to            unix.SockaddrLinklayer
	known         bool // the link-layer address is known
	packet        []byte
}

// Sender returns a sender of packets from source to local, both of the link's IP version.
// The link must stay open while it is used.
func (l *EchoLink) Sender(source, local netip.Addr) *EchoSender {
	return &EchoSender{link: l, source: source, local: local, known: l.noLLAddr,
		to: unix.SockaddrLinklayer{Protocol: l.protocol(), Ifindex: l.index}}
}

// SetNeighbour sets the peer's link-layer address; nil means unknown, as it is until the
// first call, unless the link has no such addresses.
func (s *EchoSender) SetNeighbour(mac net.HardwareAddr) {
	if s.link.noLLAddr || len(mac) > len(s.to.Addr) {
		return
	}
	s.known = len(mac) > 0
	s.to.Halen = uint8(copy(s.to.Addr[:], mac))
}

// Neighbour returns the link-layer destination, nil if there is none.
func (s *EchoSender) Neighbour() net.HardwareAddr {
	if s.to.Halen == 0 || !s.known {
		return nil
	}
	return slices.Clone(s.to.Addr[:s.to.Halen])
}

// ErrNoNeighbour means that nothing was sent because the peer's link-layer address is
// unknown.
var ErrNoNeighbour = errors.New("the link-layer address of the peer is not known")

// Send transmits one echo packet. An error means that the packet did not leave; the session
// detects its absence.
func (s *EchoSender) Send(payload []byte) error {
	err := ErrNoNeighbour
	if s.known {
		s.packet = appendEcho(s.packet[:0], s.source, s.local, payload)
		err = unix.Sendto(s.link.fd, s.packet, unix.MSG_DONTWAIT, &s.to)
	}
	if err != nil {
		return fmt.Errorf("bfdio: send echo packet by %s to %v: %w", s.link.name, s.local, err)
	}
	return nil
}
