package traffic

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"baton/impl/flow"
	"baton/netns/internal/ip"
	"baton/scenarios/lab"
)

var guestFamilies = [lab.Families]guestFamily{
	lab.IPv4: {
		domain: unix.AF_INET, etherType: ip.EtherIPv4, header: ip.Len4, sourceAt: 12, protocolAt: 9,
		filter: filter4, writeSum: func([]byte) {}, // optional for IPv4; the request has its own checksum
		questionType: ip.EtherARP, isQuestion: func([]byte) bool { return true }, answer: answerARP,
	},
	lab.IPv6: {
		domain: unix.AF_INET6, etherType: ip.EtherIPv6, header: ip.Len6, sourceAt: 8, protocolAt: 6,
		filter: filter6, writeSum: writeSum6,
		questionType: ip.EtherIPv6, isQuestion: isSolicitation, answer: answerSolicitation,
	},
}

// Offsets in ARP frames (RFC 826).
const (
	arpOp, arpSender, arpAddr = ethLen + 6, ethLen + 8, ethLen + 14
	arpTargetMAC, arpTarget   = ethLen + 18, ethLen + 24
	arpLen                    = ethLen + 28
)

// Offsets in neighbour solicitation frames (RFC 4861 4.3).
const (
	ip6Protocol  = ethLen + 6
	ip6Source    = ethLen + 8
	ip6Target    = ethLen + 24
	icmp6Type    = ethLen + ip.Len6
	ndpTarget    = icmp6Type + 8
	ndpTargetEnd = ndpTarget + 16
)

// low32 returns the last four bytes of an address as a number.
func low32(a netip.Addr) uint32 {
	b := a.As16()
	return binary.BigEndian.Uint32(b[12:])
}

// between ends a filter: it accepts a number between those of the two addresses.
func between(first, last netip.Addr) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: low32(first), SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: low32(last), SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: wholeFrame},
	}
}

// filter4 accepts IPv4 packets to the addresses, and ARP requests for them.
func filter4(first, last netip.Addr) []bpf.Instruction {
	return append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: ip.EtherARP, SkipFalse: 2},
		bpf.LoadAbsolute{Off: arpTarget, Size: 4},
		bpf.Jump{Skip: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: ip.EtherIPv4, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.LoadAbsolute{Off: ethLen + 16, Size: 4},
	}, between(first, last)...)
}

// filter6 accepts IPv6 packets to the addresses, and neighbour solicitations for them.
func filter6(first, last netip.Addr) []bpf.Instruction {
	return append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: ip.EtherIPv6, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.LoadAbsolute{Off: ip6Protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: lab.ProtoICMPv6, SkipFalse: 4},
		bpf.LoadAbsolute{Off: icmp6Type, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: ip.NeighbourSolicitation, SkipFalse: 2},
		bpf.LoadAbsolute{Off: ndpTargetEnd - 4, Size: 4},
		bpf.Jump{Skip: 1},
		bpf.LoadAbsolute{Off: ip6Target + 12, Size: 4},
	}, between(first, last)...)
}

// writeSum6 writes the UDP checksum, which IPv6 requires (RFC 8200 8.1). The addresses of
// the pseudo header directly precede UDP in the packet.
func writeSum6(packet []byte) {
	const addresses = ip6Source - ethLen
	udp := packet[ip.Len6:]
	binary.BigEndian.PutUint16(udp[6:], 0)
	sum := uint32(^ip.Checksum(packet[addresses:])) + uint32(len(udp)) + unix.IPPROTO_UDP
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if sum == 0xffff {
		sum = 0 // 0 would mean "no checksum"
	}
	binary.BigEndian.PutUint16(udp[6:], ^uint16(sum))
}

// answerARP answers an ARP request (RFC 826).
func answerARP(g *guests, frame []byte) []byte {
	if len(frame) < arpLen || binary.BigEndian.Uint16(frame[arpOp:]) != 1 {
		return nil
	}
	asked := [4]byte(frame[arpTarget:])
	copy(frame[arpTargetMAC:], frame[arpSender:arpTargetMAC]) // the requester
	copy(frame, frame[arpSender:arpSender+6])
	copy(frame[6:], g.mac)
	binary.BigEndian.PutUint16(frame[arpOp:], 2)
	copy(frame[arpSender:], g.mac)
	copy(frame[arpAddr:], asked[:])
	return frame[:arpLen]
}

func isSolicitation(frame []byte) bool {
	return len(frame) >= ndpTargetEnd && frame[ip6Protocol] == lab.ProtoICMPv6 && frame[icmp6Type] == ip.NeighbourSolicitation
}

// answerSolicitation answers a solicitation for one of the addresses (RFC 4861 7.2.4).
func answerSolicitation(g *guests, frame []byte) []byte {
	asker, target := flow.Addr(frame[ip6Source:]), flow.Addr(frame[ndpTarget:])
	if !slices.Contains(g.addrs, target.Netip()) || asker == (flow.Addr{}) {
		return nil
	}
	return slices.Concat(net.HardwareAddr(frame[6:12]), g.mac, binary.BigEndian.AppendUint16(nil, ip.EtherIPv6),
		ip.Advertisement(target, g.mac, asker, ip.FlagSolicited|ip.FlagOverride))
}
