package bfdio

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Broadcaster transmits a session's control packets in broadcast frames, from its Sender's
// source port, so that they do not need the peer's hardware address. All hosts on the link
// receive the frame; only the IP destination keeps it. It is not safe for concurrent use.
type Broadcaster struct {
	fd       int
	to       unix.SockaddrLinklayer
	from     netip.AddrPort
	peer     netip.AddrPort
	packet   []byte
	linkName string
}

// OpenBroadcaster opens the broadcast socket of a sender that is bound to a link, in the
// calling thread's network namespace. It needs CAP_NET_RAW.
func OpenBroadcaster(s *Sender) (*Broadcaster, error) {
	r := s.route
	b := &Broadcaster{
		from: netip.AddrPortFrom(r.Local, uint16(s.port)), peer: netip.AddrPortFrom(r.Peer, uint16(r.Port)),
		linkName: r.Link, packet: make([]byte, 0, ipv6HeaderLen+udpHeaderLen+maxPacket), fd: -1,
	}
	if err := b.open(); err != nil {
		b.Close()
		return nil, fmt.Errorf("bfdio: open %s to broadcast: %w", r.Link, err)
	}
	return b, nil
}

func (b *Broadcaster) open() error {
	index, err := linkIndex(b.linkName)
	if err != nil {
		return err
	}
	b.to = unix.SockaddrLinklayer{Protocol: etherType(b.peer.Addr().Is6()), Ifindex: index, Halen: 6, Addr: [8]byte{255, 255, 255, 255, 255, 255}}
	// Protocol 0: the socket receives nothing.
	b.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	return configure(b.fd, "", []option{{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, prioControl}})
}

// Send transmits one control packet. An error means that the packet did not leave.
func (b *Broadcaster) Send(packet []byte) error {
	b.packet = appendUDP(b.packet[:0], b.from, b.peer, packet)
	if err := unix.Sendto(b.fd, b.packet, unix.MSG_DONTWAIT, &b.to); err != nil {
		return fmt.Errorf("bfdio: broadcast to %v on %s: %w", b.peer.Addr(), b.linkName, err)
	}
	return nil
}

// Close closes the descriptor.
func (b *Broadcaster) Close() {
	if b.fd >= 0 {
		unix.Close(b.fd)
	}
	b.fd = -1
}
