package netns

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"baton/scenarios/lab"

	"golang.org/x/sys/unix"
)

// etherExperiment is the type of the frames by which the harness tries a cut: one that
// IEEE 802 leaves to local experiments, which no host and no capture reads.
const etherExperiment = 0x88b5

// proofLimit is how long a frame of the harness's own may take to the program that drops
// it. It takes microseconds.
const proofLimit = 250 * time.Millisecond

// prove says what shows that a rule holds, given what it had dropped before.
func (p *Pair) prove(ctx context.Context, r *rule, base uint64) (string, error) {
	carries, err := p.carries(r)
	if err != nil {
		return "", err
	}
	if !carries {
		if err := r.at.attached(); err != nil {
			return "", fmt.Errorf("%s: %w", r, err)
		}
		return fmt.Sprintf("%s: the link is down, the program is attached", r), nil
	}
	if err := p.try(r); err != nil {
		return "", fmt.Errorf("%s: send a frame: %w", r, err)
	}
	r.tried++
	ctx, cancel := context.WithTimeout(ctx, proofLimit)
	defer cancel()
	var n uint64
	err = poll(ctx, func() (bool, string, error) {
		now, err := r.dropped()
		n = now - base
		return n > 0, fmt.Sprintf("%s: %d dropped", r, n), err
	})
	return fmt.Sprintf("%s: %d dropped", r, n), err
}

// carries reports whether frames of the rule could reach the place where it drops them.
func (p *Pair) carries(r *rule) (bool, error) {
	for _, name := range []string{r.From, r.To} {
		h := p.byName[name]
		i, _ := h.Interface(r.Link)
		device, err := h.links.LinkByName(i.Name)
		if err != nil {
			return false, fmt.Errorf("find %s/%s: %w", name, i.Name, err)
		}
		if device.Attrs().RawFlags&unix.IFF_LOWER_UP == 0 {
			return false, nil
		}
	}
	return true, nil
}

// trial is a frame that a rule drops: of an experiment, which nobody takes, or of the kind of
// packets that it concerns. Its IP header is whole, since a bridge may look at that; the rest is
// as little as tells the kind, an empty BFD packet for instance, which every receiver discards
// (RFC 5880 6.8.6).
func trial(from, to Interface, m lab.Match) []byte {
	frame := slices.Concat(to.MAC, from.MAC, make([]byte, tcpEnd-ethType))
	put := binary.BigEndian.PutUint16
	source, target := from.Addr.Addr().As4(), to.Addr.Addr().As4()
	if m.Addrs[0] != [4]byte{} && !m.Concerns(source) {
		target = m.Addrs[0]
	}
	switch m.Ether {
	case lab.EtherARP:
		put(frame[ethType:], lab.EtherARP)
		copy(frame[ethLen:], []byte{0, 1, 8, 0, 6, 4, 0, 1})
		if m.Gratuitous {
			target = source
		}
		copy(frame[ethLen+8:], from.MAC)
		copy(frame[arpSender:], source[:])
		copy(frame[arpTarget:], target[:])
		return frame
	case lab.EtherIPv4:
	default:
		put(frame[ethType:], etherExperiment)
		return frame
	}
	put(frame[ethType:], lab.EtherIPv4)
	ip := frame[ethLen:ipEnd]
	ip[0], ip[8], ip[9] = ipv4NoOpts, 255, m.Proto
	length := map[uint8]int{lab.ProtoTCP: tcpEnd, lab.ProtoUDP: udpEnd}[m.Proto]
	if length == 0 {
		length, ip[9] = ipEnd, protocolExperiment
	}
	put(ip[2:], uint16(length-ethLen))
	copy(ip[12:], source[:])
	copy(ip[16:], target[:])
	put(ip[10:], checksum(ip))
	put(frame[portTarget:], m.Port)
	switch m.Proto {
	case lab.ProtoUDP:
		put(frame[portTarget+2:], uint16(udpEnd-ipEnd))
	case lab.ProtoTCP:
		frame[tcpOffset] = (tcpEnd - ipEnd) / 4 << 4
		if m.Opens {
			frame[tcpFlags] = tcpSYN
		}
	}
	return frame[:length]
}

// protocolExperiment is a number that is left to experiments (RFC 3692).
const protocolExperiment = 253

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// try sends one frame from the rule's sender to its receiver.
func (p *Pair) try(r *rule) error {
	sender := p.byName[r.From]
	from, _ := sender.Interface(r.Link)
	to, _ := p.byName[r.To].Interface(r.Link)
	device, err := sender.links.LinkByName(from.Name)
	if err != nil {
		return err
	}
	frame := trial(from, to, r.match)
	return sender.Do(func() error {
		socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(socket)
		return unix.Sendto(socket, frame, 0, &unix.SockaddrLinklayer{Ifindex: device.Attrs().Index})
	})
}
