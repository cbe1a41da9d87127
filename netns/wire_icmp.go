package netns

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"baton/impl/flow"
	"baton/netns/internal/ip"
	"baton/scenarios/lab"
)

// icmpSender tells senders, in the receiver's name, that a packet was too long for the link
// (RFC 1191 4, RFC 4443 3.2), as a router with a smaller MTU would.
type icmpSender struct {
	socket  int
	ifindex int
	at      Interface
}

func newICMPSender(h *Host, link string) (*icmpSender, error) {
	i, _ := h.Interface(link)
	device, err := h.links.LinkByName(i.Name)
	if err != nil {
		return nil, fmt.Errorf("find %s/%s: %w", h.name, i.Name, err)
	}
	t := &icmpSender{ifindex: device.Attrs().Index, at: i}
	err = h.Do(func() (err error) {
		t.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	return t, nil
}

const (
	icmpLen         = 8
	icmpUnreachable = 3
	icmpFragNeeded  = 4
	icmpTooBig      = 2 // of ICMPv6 (RFC 4443 3.2)
	protocolICMP    = 1
	quotedPorts     = 8 // behind the IP header of the packet that is quoted
)

// tooLong answers a frame that was too long for the link. Frames other than plain IP get no
// answer, as from any router.
func (t *icmpSender) tooLong(frame []byte, mtu int) {
	if t == nil || len(frame) < ipEnd+quotedPorts {
		return
	}
	var answer []byte
	switch {
	case frame[ipVersion] == ipv4NoOpts:
		answer = fragNeeded(frame, t.at, mtu)
	case frame[ipVersion]>>4 == 6 && len(frame) >= ip6End+quotedPorts:
		answer = tooBig(frame, t.at, mtu)
	default:
		return
	}
	_ = unix.Sendto(t.socket, answer, 0, &unix.SockaddrLinklayer{Ifindex: t.ifindex})
}

// fragNeeded builds the answer to an IPv4 frame; nil means no answer.
func fragNeeded(frame []byte, from Interface, mtu int) []byte {
	icmp := append(make([]byte, icmpLen), frame[ethLen:ipEnd+quotedPorts]...)
	icmp[0], icmp[1] = icmpUnreachable, icmpFragNeeded
	binary.BigEndian.PutUint16(icmp[6:], uint16(mtu))
	binary.BigEndian.PutUint16(icmp[2:], ip.Checksum(icmp))
	return backTo(frame, from, flow.IPv4From([4]byte(frame[ipSource:])), protocolICMP, icmp)
}

// tooBig builds the answer to an IPv6 frame; nil means no answer.
func tooBig(frame []byte, from Interface, mtu int) []byte {
	source := flow.Addr(frame[ip6Source:])
	icmp := append(make([]byte, icmpLen), frame[ethLen:ip6End+quotedPorts]...)
	icmp[0] = icmpTooBig
	binary.BigEndian.PutUint32(icmp[4:], uint32(mtu))
	binary.BigEndian.PutUint16(icmp[2:], ip.TransportChecksum(flow.AddrFrom(from.AddrOf(lab.IPv6)), source, lab.ProtoICMPv6, icmp))
	return backTo(frame, from, source, lab.ProtoICMPv6, icmp)
}

// backTo builds a frame with a message to the sender of another frame.
func backTo(frame []byte, from Interface, source flow.Addr, protocol uint8, message []byte) []byte {
	family := ip.FamilyOf(source)
	return slices.Concat(frame[ethSource:ethType], from.MAC, binary.BigEndian.AppendUint16(nil, ip.EtherTypes[family]),
		ip.Header(flow.AddrFrom(from.AddrOf(family)), source, protocol, 64, len(message)), message)
}

func (t *icmpSender) close() {
	if t != nil {
		_ = unix.Close(t.socket)
	}
}
