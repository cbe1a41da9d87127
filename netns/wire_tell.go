package netns

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// teller tells senders, in the name of the receiver, that a packet was too long for the
// link (RFC 792, RFC 1191 4), as a router with a smaller MTU would.
type teller struct {
	socket  int
	ifindex int
	at      Interface
}

func newTeller(h *Host, link string) (*teller, error) {
	i, _ := h.Interface(link)
	device, err := h.links.LinkByName(i.Name)
	if err != nil {
		return nil, fmt.Errorf("find %s/%s: %w", h.name, i.Name, err)
	}
	t := &teller{ifindex: device.Attrs().Index, at: i}
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
	protocolICMP    = 1
	quoted          = 28 // of the packet: its IP header and the ports
)

// tooLong answers a frame that was not passed on; nil says nothing. What is no IPv4 is
// dropped in silence, as by any router.
func (t *teller) tooLong(frame []byte, mtu int) {
	if t == nil || len(frame) < ethLen+quoted || frame[ipVersion] != ipv4NoOpts {
		return
	}
	_ = unix.Sendto(t.socket, fragNeeded(frame, t.at, mtu), 0, &unix.SockaddrLinklayer{Ifindex: t.ifindex})
}

// fragNeeded is the answer to a frame.
func fragNeeded(frame []byte, from Interface, mtu int) []byte {
	answer := make([]byte, ipEnd+icmpLen+quoted)
	copy(answer, frame[ethSource:ethType])
	copy(answer[ethSource:], from.MAC)
	binary.BigEndian.PutUint16(answer[ethType:], etherIPv4)
	ip := answer[ethLen:ipEnd]
	ip[0], ip[8], ip[9] = ipv4NoOpts, 64, protocolICMP
	binary.BigEndian.PutUint16(ip[2:], uint16(len(answer)-ethLen))
	copy(ip[12:16], from.Addr.Addr().AsSlice())
	copy(ip[16:20], frame[ipSource:ipTarget])
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	icmp := answer[ipEnd:]
	icmp[0], icmp[1] = icmpUnreachable, icmpFragNeeded
	binary.BigEndian.PutUint16(icmp[6:], uint16(mtu))
	copy(icmp[icmpLen:], frame[ethLen:ethLen+quoted])
	binary.BigEndian.PutUint16(icmp[2:], checksum(icmp))
	return answer
}

func (t *teller) close() {
	if t != nil {
		_ = unix.Close(t.socket)
	}
}
