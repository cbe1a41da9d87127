package sim

import (
	"encoding/binary"

	"baton/impl/dataplane/model"
	"baton/impl/flow"
	"baton/scenarios/lab"
)

// TCP flags.
const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	ack = 0x10
)

// packet is one packet of a service on one hop of its way. The payload is not
// there: tag says whose it is, length how much.
type packet struct {
	tuple    flow.Tuple
	flags    uint8
	link     uint8
	from, to uint8 // hosts at the ends of this hop
	origin   uint8 // the host that made it
	backend  uint8 // that made the payload of an answer
	length   uint16
	seq, ack uint32
	tag      uint32 // the flow that the payload belongs to
}

// salt tells packets that leave a host at one instant apart.
func (p *packet) salt() uint64 { return uint64(p.tag)<<8 ^ uint64(p.flags) ^ uint64(p.seq)<<1 }

// seen is the packet as the kinds of packets are told by.
func (p *packet) seen() lab.Packet {
	return lab.Packet{
		Ether: lab.EtherIPv4, Proto: uint8(p.tuple.Proto), Opens: p.flags&(syn|ack) == syn,
		Src: p.tuple.Src.As4(), Dst: p.tuple.Dst.As4(), SrcPort: p.tuple.SrcPort, DstPort: p.tuple.DstPort,
	}
}

// What else crosses links, as the kinds of packets are told by.
var (
	heartbeat = lab.Packet{Ether: lab.EtherIPv4, Proto: lab.ProtoUDP, DstPort: lab.BFDPort}
	syncFrame = lab.Packet{Ether: lab.EtherIPv4, Proto: lab.ProtoTCP, DstPort: lab.SyncPort}
	syncOpens = lab.Packet{Ether: lab.EtherIPv4, Proto: lab.ProtoTCP, DstPort: lab.SyncPort, Opens: true}
	ping      = lab.Packet{Ether: lab.EtherIPv4, Proto: 1}
)

// arpOf is ARP from the owner of one address about another.
func arpOf(sender, target flow.Addr) lab.Packet {
	return lab.Packet{Ether: lab.EtherARP, Src: sender.As4(), Dst: target.As4()}
}

const (
	etherLen = 14
	ipLen    = 20
	tcpLen   = 20
	udpLen   = 8
)

// frameBuffer has room for the largest segment. What is behind the headers stays zero.
type frameBuffer [etherLen + ipLen + tcpLen + segment]byte

// frame writes the packet's headers as the dataplane reads them: addresses, ports,
// flags and TCP's numbers, and room for its data. The checksums of TCP and UDP are left
// out; the dataplane changes them and judges neither.
func (p *packet) frame(buf *frameBuffer, to model.MAC) []byte {
	length := ipLen + tcpLen + int(p.length)
	if p.tuple.Proto == flow.UDP {
		length = ipLen + udpLen
	}
	b := buf[:etherLen+length]
	clear(b[:etherLen+ipLen+tcpLen])
	copy(b, to[:])
	b[12] = 8 // IPv4
	ip := b[etherLen:]
	ip[0], ip[2], ip[3], ip[8], ip[9] = 0x45, byte(length>>8), byte(length), 64, byte(p.tuple.Proto)
	copy(ip[12:], p.tuple.Src.Bytes())
	copy(ip[16:], p.tuple.Dst.Bytes())
	binary.BigEndian.PutUint16(ip[10:], headerChecksum(ip))
	l4 := ip[ipLen:]
	l4[0], l4[1] = byte(p.tuple.SrcPort>>8), byte(p.tuple.SrcPort)
	l4[2], l4[3] = byte(p.tuple.DstPort>>8), byte(p.tuple.DstPort)
	if p.tuple.Proto == flow.UDP {
		l4[5] = udpLen
		return b
	}
	binary.BigEndian.PutUint32(l4[4:], p.seq)
	binary.BigEndian.PutUint32(l4[8:], p.ack)
	l4[12], l4[13] = tcpLen/4<<4, p.flags
	return b
}

// headerChecksum is the checksum of an IPv4 header without options whose field for it is 0.
func headerChecksum(ip []byte) uint16 {
	var sum uint64
	for at := 0; at < ipLen; at += 4 {
		sum += uint64(binary.BigEndian.Uint32(ip[at:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// translated reads back the tuple of a frame that the dataplane has rewritten.
func translated(b []byte) flow.Tuple {
	ip := b[etherLen:]
	l4 := ip[ipLen:]
	return flow.Tuple{
		Src: flow.IPv4From([4]byte(ip[12:])), Dst: flow.IPv4From([4]byte(ip[16:])),
		SrcPort: uint16(l4[0])<<8 | uint16(l4[1]), DstPort: uint16(l4[2])<<8 | uint16(l4[3]),
		Proto: flow.Proto(ip[9]),
	}
}

const arpLen = 28

// question writes an ARP request for an address.
func question(buf *frameBuffer, to, from model.MAC, sender, target flow.Addr) []byte {
	b := buf[:etherLen+arpLen]
	clear(b)
	copy(b, to[:])
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
