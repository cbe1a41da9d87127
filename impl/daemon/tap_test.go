package daemon

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"baton/impl/bfd"
)

// tap captures every BFD control packet on a link, as any host on its network can.
type tap struct {
	fd  int
	buf [2048]byte
}

// heard is a captured packet.
type heard struct {
	from, to  netip.Addr
	port      uint16 // that it was sent from
	yourDiscr uint32
	payload   []byte
}

func openTap(link string) (*tap, error) {
	// All protocols: only such a socket receives outgoing frames.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0x0300)
	if err != nil {
		return nil, err
	}
	index, err := linkIndex(link)
	if err != nil {
		return nil, err
	}
	return &tap{fd: fd}, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: index})
}

// next returns the next packet; with MSG_DONTWAIT EAGAIN means that none waits.
func (t *tap) next(flags int) (heard, error) {
	const ethIP = 0x0008 // in network order
	for {
		n, sender, err := unix.Recvfrom(t.fd, t.buf[:], flags)
		if err != nil {
			return heard{}, err
		}
		b := t.buf[:n]
		ll, ok := sender.(*unix.SockaddrLinklayer)
		if !ok || ll.Protocol != ethIP || n < 52 || b[9] != unix.IPPROTO_UDP || binary.BigEndian.Uint16(b[22:]) != bfd.ControlPort {
			continue
		}
		if p, err := bfd.Parse(b[28:]); err == nil {
			return heard{
				from: netip.AddrFrom4([4]byte(b[12:16])), to: netip.AddrFrom4([4]byte(b[16:20])),
				port: binary.BigEndian.Uint16(b[20:]), yourDiscr: p.YourDiscr, payload: append([]byte(nil), b[28:]...),
			}, nil
		}
	}
}
