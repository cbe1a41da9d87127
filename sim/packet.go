package sim

import (
	"encoding/binary"

	"baton/impl/dataplane/model"
	"baton/impl/flow"
	"baton/impl/sctp"
	"baton/scenarios/lab"
)

// TCP flags.
const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	ack = 0x10
)

// packet is a packet of a service on one hop. It carries no payload bytes: tag names the flow that
// the payload belongs to, length its size.
type packet struct {
	tuple    flow.Tuple
	flags    uint8
	link     uint8
	from, to uint8 // hosts at the ends of this hop
	origin   uint8 // the host that created it
	backend  uint8 // that created the payload of an answer
	length   uint16
	seq, ack uint32 // SCTP: the TSN of the data, and the next expected TSN
	tag      uint32 // the flow that the payload belongs to
	relayed  bool   // forwarded by one load balancer to the other
	outer    uint8  // length of the outer header on this hop, 0 without encapsulation
	chunk    chunk  // SCTP only
}

// salt distinguishes packets that leave a host at the same instant.
func (p *packet) salt() uint64 { return uint64(p.tag)<<8 ^ uint64(p.flags) ^ uint64(p.seq)<<1 }

// seen converts the packet to the form that the packet filters of rules match.
func (p *packet) seen() lab.Packet {
	return lab.Packet{
		Class: lab.IPOf(familyOf(p.tuple.Dst)), Proto: uint8(p.tuple.Proto), Opens: p.flags&(syn|ack) == syn,
		Src: p.tuple.Src, Dst: p.tuple.Dst, SrcPort: p.tuple.SrcPort, DstPort: p.tuple.DstPort,
	}
}

// size is the length of the packet's frame. Every transport header counts as long as TCP's.
func (p *packet) size() int {
	return etherLen + int(p.outer) + ipLens[familyOf(p.tuple.Dst)] + tcpLen + int(p.length)
}

// The other packets on the links, in the form that the packet filters of rules match.
var (
	heartbeat = lab.Packet{Class: lab.ClassIPv4, Proto: lab.ProtoUDP, DstPort: lab.BFDPort}
	syncFrame = lab.Packet{Class: lab.ClassIPv4, Proto: lab.ProtoTCP, DstPort: lab.SyncPort}
	syncOpens = lab.Packet{Class: lab.ClassIPv4, Proto: lab.ProtoTCP, DstPort: lab.SyncPort, Opens: true}
	ping      = lab.Packet{Class: lab.ClassIPv4, Proto: 1}
)

// neighbourPacket is an ARP or IPv6 neighbour discovery packet from the owner of one address about
// another.
func neighbourPacket(sender, target flow.Addr) lab.Packet {
	p := lab.Packet{Class: lab.NeighboursOf(familyOf(target)), Src: sender, Dst: target}
	if p.Class == lab.ClassNDP {
		p.Proto = lab.ProtoICMPv6
	}
	return p
}

const (
	etherLen = 14
	ipLen    = 20
	ip6Len   = 40
	tcpLen   = 20
	udpLen   = 8

	maxHeader = sctp.HeaderLen + sctp.InitLen
)

// ipLens are the lengths of the IP headers by family.
var ipLens = [lab.Families]int{lab.IPv4: ipLen, lab.IPv6: ip6Len}

// maxSegment is the largest TCP segment of any family.
const maxSegment = 1448

// frameBuffer has room for the largest segment. The payload bytes stay zero.
type frameBuffer [etherLen + ip6Len + tcpLen + maxSegment]byte

// frame builds the packet's frame for the dataplane: addresses, ports, flags, sequence numbers,
// and zeros for the payload. The checksums of TCP and UDP stay zero; the dataplane updates but
// never verifies them.
func (p *packet) frame(buf *frameBuffer, to model.MAC) []byte {
	family := familyOf(p.tuple.Dst)
	length := tcpLen + int(p.length)
	switch p.tuple.Proto {
	case flow.UDP:
		length = udpLen
	case flow.SCTP:
		length = p.chunk.packetLen(p.length)
	}
	start := etherLen + ipLens[family]
	b := buf[:start+length]
	clear(b[:min(len(b), start+maxHeader)])
	copy(b, to[:])
	if p.relayed {
		from := macOf(p.link, p.from)
		copy(b[6:], from[:])
	}
	header(b[etherLen-2:], family, &p.tuple, 64, length)
	l4 := b[start:]
	l4[0], l4[1] = byte(p.tuple.SrcPort>>8), byte(p.tuple.SrcPort)
	l4[2], l4[3] = byte(p.tuple.DstPort>>8), byte(p.tuple.DstPort)
	switch p.tuple.Proto {
	case flow.UDP:
		l4[5] = udpLen
		return b
	case flow.SCTP:
		p.chunk.write(l4)
		return b
	}
	binary.BigEndian.PutUint32(l4[4:], p.seq)
	binary.BigEndian.PutUint32(l4[8:], p.ack)
	l4[12], l4[13] = tcpLen/4<<4, p.flags
	return b
}

// header writes the EtherType and the IP header of a packet whose IP payload has the given length.
func header(b []byte, f lab.Family, t *flow.Tuple, hops byte, length int) {
	ip := b[2:]
	if f == lab.IPv6 {
		b[0], b[1] = 0x86, 0xdd
		ip[0], ip[4], ip[5], ip[6], ip[7] = 0x60, byte(length>>8), byte(length), byte(t.Proto), hops
		copy(ip[8:], t.Src[:])
		copy(ip[24:], t.Dst[:])
		return
	}
	b[0], b[1] = 8, 0
	length += ipLen
	ip[0], ip[2], ip[3], ip[8], ip[9] = 0x45, byte(length>>8), byte(length), hops, byte(t.Proto)
	copy(ip[12:], t.Src.Bytes())
	copy(ip[16:], t.Dst.Bytes())
	binary.BigEndian.PutUint16(ip[10:], ^sum(ip[:ipLen]))
}

// sum is the Internet checksum of words (RFC 1071), not complemented.
func sum(words ...[]byte) uint16 {
	var total uint64
	for _, b := range words {
		for at := 0; at < len(b); at += 4 {
			total += uint64(binary.BigEndian.Uint32(b[at:]))
		}
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}

// Protocol numbers of an encapsulated packet.
const (
	ipv4Inside = 4
	ipv6Inside = 41
)

// translated reads the tuple of a frame that the dataplane has rewritten. For an encapsulated
// packet it is the inner tuple.
func translated(b []byte) (t flow.Tuple) {
	ip, l4 := b[etherLen:], b[etherLen+ipLen:]
	if ip[0]>>4 == 6 {
		l4 = ip[ip6Len:]
		t.Src, t.Dst, t.Proto = flow.Addr(ip[8:]), flow.Addr(ip[24:]), flow.Proto(ip[6])
	} else {
		t.Src, t.Dst, t.Proto = flow.IPv4From([4]byte(ip[12:])), flow.IPv4From([4]byte(ip[16:])), flow.Proto(ip[9])
	}
	if t.Proto == ipv4Inside || t.Proto == ipv6Inside {
		return translated(b[len(b)-len(l4)-etherLen:])
	}
	t.SrcPort, t.DstPort = uint16(l4[0])<<8|uint16(l4[1]), uint16(l4[2])<<8|uint16(l4[3])
	return t
}

// outerLen is the length of a frame's outer header, 0 without one.
func outerLen(b []byte) uint8 {
	ip := b[etherLen:]
	length, proto := ipLen, ip[9]
	if ip[0]>>4 == 6 {
		length, proto = ip6Len, ip[6]
	}
	if proto != ipv4Inside && proto != ipv6Inside {
		return 0
	}
	return uint8(length)
}

// answers turns a packet into the dataplane's answer to it: a RST or an ABORT. It reports false for
// an ICMP error, because the simulated hosts read no ICMP.
func (p *packet) answers(b []byte) bool {
	switch p.tuple.Proto {
	case flow.TCP:
	case flow.SCTP:
		return p.aborts(b)
	default:
		return false
	}
	tcp := b[len(b)-tcpLen:]
	p.seq, p.ack, p.flags, p.length = binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:]), tcp[13], 0
	return true
}

// question builds a host's request for an address: an ARP request or a neighbour solicitation.
func question(buf *frameBuffer, from model.MAC, sender, target flow.Addr) []byte {
	if familyOf(target) == lab.IPv6 {
		return solicitation(buf, from, sender, target)
	}
	const arpLen = 28
	b := buf[:etherLen+arpLen]
	clear(b)
	copy(b, broadcast[:])
	copy(b[6:], from[:])
	b[12], b[13] = 8, 6
	arp := b[etherLen:]
	copy(arp, []byte{0, 1, 8, 0, 6, 4, 0, 1})
	copy(arp[8:], from[:])
	copy(arp[14:], sender.Bytes())
	copy(arp[24:], target.Bytes())
	return b
}

var broadcast = model.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// icmp6 is the protocol of neighbour discovery.
const icmp6 flow.Proto = lab.ProtoICMPv6

// solicitation builds a neighbour solicitation to the target's solicited-node group, with the
// source link-layer address option (RFC 4861 4.3).
func solicitation(buf *frameBuffer, from model.MAC, sender, target flow.Addr) []byte {
	const length, hops = 32, 255
	b := buf[:etherLen+ip6Len+length]
	clear(b)
	group := flow.Addr{0: 0xff, 1: 2, 11: 1, 12: 0xff}
	copy(group[13:], target[13:])
	copy(b, []byte{0x33, 0x33})
	copy(b[2:], group[12:])
	copy(b[6:], from[:])
	t := flow.Tuple{Src: sender, Dst: group, Proto: icmp6}
	header(b[etherLen-2:], lab.IPv6, &t, hops, length)
	message := b[etherLen+ip6Len:]
	message[0] = 135
	copy(message[8:], target[:])
	message[24], message[25] = 1, 1
	copy(message[26:], from[:])
	pseudo := []byte{0, 0, 0, length, 0, 0, 0, lab.ProtoICMPv6}
	binary.BigEndian.PutUint16(message[2:], ^sum(sender[:], group[:], pseudo, message))
	return b
}
