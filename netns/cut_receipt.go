package netns

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"time"

	"baton/impl/flow"
	"baton/impl/sctp"
	"baton/netns/internal/ip"
	"baton/scenarios/lab"

	"golang.org/x/sys/unix"
)

// etherExperiment is the EtherType of the test frames: IEEE 802 reserves it for local
// experiments, and no host or capture reads it.
const etherExperiment = 0x88b5

// experiment is the rest of a test frame.
var experiment = slices.Concat([]byte{etherExperiment >> 8, etherExperiment & 0xff}, make([]byte, tcpEnd-ethLen))

// proofLimit bounds how long a test frame may take to reach the program that drops it. It
// takes microseconds.
const proofLimit = 250 * time.Millisecond

// prove returns the evidence that a rule drops frames; base is its drop count before. The link may go
// down meanwhile, by another fault of that instant.
func (p *Pair) prove(ctx context.Context, r *rule, base uint64) (string, error) {
	carries, err := p.carries(r)
	if err != nil {
		return "", err
	}
	if carries {
		receipt, err := p.dropsFrame(ctx, r, base)
		if err == nil {
			return receipt, nil
		}
		if still, lost := p.carries(r); still || lost != nil {
			return "", err
		}
	}
	if err := r.at.attached(); err != nil {
		return "", fmt.Errorf("%s: %w", r, err)
	}
	return fmt.Sprintf("%s: the link is down, the program is attached", r), nil
}

// dropsFrame sends a test frame and waits until the rule has dropped a frame, or an earlier cut that
// selects the test frame too.
func (p *Pair) dropsFrame(ctx context.Context, r *rule, base uint64) (string, error) {
	frame := p.testFrameOf(r)
	dropper, told := p.dropperOf(r, frame), ""
	if dropper != r {
		told = fmt.Sprintf(" by the cut of %s", dropper)
		var err error
		if base, err = dropper.dropped(); err != nil {
			return "", fmt.Errorf("%s: %w", dropper, err)
		}
	}
	if err := p.sendTestFrame(r, frame); err != nil {
		return "", fmt.Errorf("%s: send a frame: %w", r, err)
	}
	p.mu.Lock()
	dropper.testFrames++
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, proofLimit)
	defer cancel()
	var receipt string
	err := poll(ctx, func() (bool, string, error) {
		now, err := dropper.dropped()
		receipt = fmt.Sprintf("%s: %d dropped%s", r, now-base, told)
		return now > base, receipt, err
	})
	return receipt, err
}

// dropperOf returns the cut that drops a test frame of a rule: the filter tries its slots in order.
func (p *Pair) dropperOf(r *rule, frame []byte) *rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	first, packet := r, packetOf(frame)
	for _, o := range p.cuts {
		drops := o.params == nil && o.share == 0
		if drops && o.at == r.at && o.key.MAC == r.key.MAC && o.key.Slot < first.key.Slot && o.match.Has(packet) {
			first = o
		}
	}
	return first
}

// carries reports whether frames can reach the point where the rule drops them.
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

// testFrame builds a frame that the rule drops. For a rule that drops everything it is of
// an experimental EtherType. For a kind of packet it is the shortest one of that kind with
// a complete IP header, since a bridge may check it; for instance an empty BFD packet,
// which every receiver discards (RFC 5880 6.8.6).
func testFrame(from, to Interface, m lab.Match) []byte {
	frame := slices.Concat(to.MAC, from.MAC)
	family := lab.IPv4
	if m.Class == lab.ClassIPv6 || m.Addrs[0] != (flow.Addr{}) && !m.Addrs[0].Is4() {
		family = lab.IPv6
	}
	source, target := flow.AddrFrom(from.AddrOf(family)), flow.AddrFrom(to.AddrOf(family))
	if m.Addrs[0] != (flow.Addr{}) && !m.Concerns(source) {
		target = m.Addrs[0]
	}
	switch {
	case m.Class&lab.Neighbours != 0:
		if m.Gratuitous {
			target = source
		}
		return append(frame, arpQuestion(from.MAC, source, target)...)
	case m.Class&lab.IP != 0:
		return append(frame, ipTestPacket(source, target, m)...)
	}
	return append(frame, experiment...)
}

// arpQuestion is an ARP request, EtherType included.
func arpQuestion(mac net.HardwareAddr, sender, target flow.Addr) []byte {
	arp := make([]byte, arpEnd-ethType)
	copy(arp, []byte{ip.EtherARP >> 8, ip.EtherARP & 0xff, 0, 1, 8, 0, 6, 4, 0, 1})
	copy(arp[ethLen+8-ethType:], mac)
	copy(arp[arpSender-ethType:], sender.Bytes())
	copy(arp[arpTarget-ethType:], target.Bytes())
	return arp
}

// ipTestPacket builds the IP packet of a test frame, EtherType included.
func ipTestPacket(source, target flow.Addr, m lab.Match) []byte {
	payload := make([]byte, map[uint8]int{lab.ProtoTCP: tcpEnd - ipEnd, lab.ProtoUDP: udpEnd - ipEnd, lab.ProtoSCTP: sctp.HeaderLen}[m.Proto])
	switch m.Proto {
	case lab.ProtoUDP:
		binary.BigEndian.PutUint16(payload[4:], uint16(len(payload)))
	case lab.ProtoTCP:
		payload[tcpOffset-ipEnd] = uint8(len(payload)) / 4 << 4
		if m.Opens {
			payload[tcpFlags-ipEnd] = tcpSYN
		}
	}
	if len(payload) > 0 {
		binary.BigEndian.PutUint16(payload[portTarget-ipEnd:], m.Port)
	}
	protocol := m.Proto
	if protocol == 0 {
		protocol = protocolExperiment
	}
	return slices.Concat(binary.BigEndian.AppendUint16(nil, ip.EtherTypes[ip.FamilyOf(target)]), ip.Header(source, target, protocol, 255, len(payload)), payload)
}

// protocolExperiment is an IP protocol number for experiments (RFC 3692).
const protocolExperiment = 253

// testFrameOf builds the test frame from the rule's sender to its receiver.
func (p *Pair) testFrameOf(r *rule) []byte {
	from, _ := p.byName[r.From].Interface(r.Link)
	to, _ := p.byName[r.To].Interface(r.Link)
	return testFrame(from, to, r.match)
}

// sendTestFrame sends a frame from the rule's sender, with the mark of test frames.
func (p *Pair) sendTestFrame(r *rule, frame []byte) error {
	sender := p.byName[r.From]
	from, _ := sender.Interface(r.Link)
	device, err := sender.links.LinkByName(from.Name)
	if err != nil {
		return err
	}
	return sender.Do(func() error {
		socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(socket)
		if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_MARK, testMark); err != nil {
			return err
		}
		return unix.Sendto(socket, frame, 0, &unix.SockaddrLinklayer{Ifindex: device.Attrs().Index})
	})
}
