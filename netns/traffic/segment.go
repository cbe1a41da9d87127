package traffic

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"baton/impl/flow"
	"baton/netns/internal/ip"
)

// segment is a TCP segment without options that this package builds and parses itself (RFC
// 9293 3.1).
//
// Each carries a mark: an urgent pointer without URG, which a receiver ignores and a load
// balancer passes on. Packet filters of the hosts use it to distinguish flows without
// sockets from those of the kernel.
type segment struct {
	from, to netip.AddrPort
	flags    uint8
	seq, ack uint32
	payload  []byte
	marked   bool // set by parsing; built segments are always marked
}

// TCP flags.
const (
	tcpFIN = 1 << iota
	tcpSYN
	tcpRST
	tcpPSH
	tcpACK
	tcpURG
)

// Offsets in the TCP header.
const (
	tcpLen      = 20
	tcpFlags    = 13
	tcpChecksum = 16
	tcpUrgent   = 18

	segmentMark   = 0xba70
	segmentWindow = 65535
)

// packet returns the segment with its IP header.
func (s segment) packet() []byte {
	source, target := flow.AddrFrom(s.from.Addr()), flow.AddrFrom(s.to.Addr())
	packet := ip.Header(source, target, unix.IPPROTO_TCP, 64, tcpLen+len(s.payload))
	header := len(packet)
	be := binary.BigEndian
	packet = be.AppendUint16(packet, s.from.Port())
	packet = be.AppendUint16(packet, s.to.Port())
	packet = be.AppendUint32(packet, s.seq)
	packet = be.AppendUint32(packet, s.ack)
	packet = append(packet, tcpLen/4<<4, s.flags)
	packet = be.AppendUint16(packet, segmentWindow)
	packet = be.AppendUint16(packet, 0) // the checksum
	packet = be.AppendUint16(packet, segmentMark)
	packet = append(packet, s.payload...)
	be.PutUint16(packet[header+tcpChecksum:], ip.TransportChecksum(source, target, unix.IPPROTO_TCP, packet[header:]))
	return packet
}

// parseSegment parses a packet. It rejects a marked segment with a wrong checksum, as a
// kernel would; other segments may have an unfinished checksum because of offload.
func parseSegment(packet []byte) (s segment, ok bool) {
	header, length, protocol := ip.Len4, 0, uint8(0)
	var source, target []byte
	switch {
	case len(packet) >= ip.Len4+tcpLen && packet[0] == 0x45:
		length, protocol = int(binary.BigEndian.Uint16(packet[2:])), packet[9]
		source, target = packet[12:16], packet[16:20]
	case len(packet) >= ip.Len6+tcpLen && packet[0]>>4 == 6:
		header = ip.Len6
		length, protocol = header+int(binary.BigEndian.Uint16(packet[4:])), packet[6]
		source, target = packet[8:24], packet[24:40]
	default:
		return s, false
	}
	if protocol != unix.IPPROTO_TCP || length > len(packet) || length < header+tcpLen {
		return s, false
	}
	tcp := packet[header:length]
	offset := int(tcp[12]>>4) * 4
	if offset < tcpLen || offset > len(tcp) {
		return s, false
	}
	from, _ := netip.AddrFromSlice(source)
	to, _ := netip.AddrFromSlice(target)
	be := binary.BigEndian
	s = segment{
		from: netip.AddrPortFrom(from, be.Uint16(tcp)), to: netip.AddrPortFrom(to, be.Uint16(tcp[2:])),
		flags: tcp[tcpFlags], seq: be.Uint32(tcp[4:]), ack: be.Uint32(tcp[8:]), payload: tcp[offset:],
	}
	s.marked = be.Uint16(tcp[tcpUrgent:]) == segmentMark && s.flags&tcpURG == 0
	if s.marked && ip.TransportChecksum(flow.AddrFrom(from), flow.AddrFrom(to), unix.IPPROTO_TCP, tcp) != 0 {
		return s, false
	}
	return s, true
}

// notMarked is a filter for a listening socket that drops marked segments, which its kernel
// would otherwise answer.
func notMarked() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: tcpUrgent, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: segmentMark, SkipTrue: 2},
		bpf.LoadAbsolute{Off: tcpFlags, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: tcpURG, SkipTrue: 1},
		bpf.RetConstant{Val: wholeFrame},
		bpf.RetConstant{Val: 0},
	}
}

// marked is a filter for a packet socket that accepts the marked segments of both families.
func marked() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: ip.EtherIPv4, SkipFalse: 6},
		bpf.LoadAbsolute{Off: ethLen + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 12},
		bpf.LoadAbsolute{Off: ethLen + ip.Len4 + tcpUrgent, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: segmentMark, SkipTrue: 10},
		bpf.LoadAbsolute{Off: ethLen + ip.Len4 + tcpFlags, Size: 1},
		bpf.Jump{Skip: 6},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: ip.EtherIPv6, SkipTrue: 7},
		bpf.LoadAbsolute{Off: ethLen + 6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 5},
		bpf.LoadAbsolute{Off: ethLen + ip.Len6 + tcpUrgent, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: segmentMark, SkipTrue: 3},
		bpf.LoadAbsolute{Off: ethLen + ip.Len6 + tcpFlags, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: tcpURG, SkipTrue: 1},
		bpf.RetConstant{Val: wholeFrame},
		bpf.RetConstant{Val: 0},
	}
}

// wholeFrame is the filter result that accepts a frame.
const wholeFrame = 2048

// attachFilter attaches a filter to a socket.
func attachFilter(fd int, program []bpf.Instruction) error {
	filter, err := assemble(program)
	if err != nil {
		return err
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}
