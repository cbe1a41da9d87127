package capture

import (
	"encoding/binary"
	"net"
	"net/netip"

	"baton/impl/flow"
	"baton/impl/sctp"
	"baton/netns/internal/ip"
	"baton/scenarios/lab"
)

// mac is an Ethernet address.
type mac [6]byte

func (m mac) String() string { return net.HardwareAddr(m[:]).String() }

// frameKind is the kind of a frame as far as the capture distinguishes it.
type frameKind uint8

const (
	frameOther      frameKind = iota
	frameNeighbours           // ARP, and neighbour solicitations and advertisements
	frameTCP
	frameUDP
	frameSCTP
	frameAdvert
)

// frame holds the parsed fields of an Ethernet frame. Fields that its kind does not have
// are zero.
type frame struct {
	kind     frameKind
	src, dst mac
	tuple    flow.Tuple // TCP, UDP, SCTP
	ipID     uint16
	seq, ack uint32 // TCP; seq is the verification tag of SCTP
	next     uint32 // TCP: the sequence number after the segment
	flags    uint8
	chunk    uint8 // SCTP: type of the first chunk, or ABORT if one follows
	// senderIP and targetIP are the protocol addresses of an ARP packet; for a neighbour
	// advertisement the target and, unless unsolicited, the destination; for a solicitation
	// the source and the target.
	senderIP, targetIP flow.Addr
	advert             *advert
}

// TCP flags.
const (
	tcpFIN = 1 << 0
	tcpSYN = 1 << 1
	tcpRST = 1 << 2
	tcpACK = 1 << 4
)

// Lengths and constants of the headers.
const (
	etherLen    = 14
	etherIPv4   = ip.EtherIPv4
	etherARP    = ip.EtherARP
	etherIPv6   = ip.EtherIPv6
	arpLen      = 28
	arpEthIPv4  = 0x0001_0800 // hardware Ethernet, protocol IPv4
	arpAddrLens = 0x0604
	ipv4MinLen  = 20
	ipv6Len     = 40
	ndpLen      = 24 // of a neighbour solicitation or advertisement without options
	portsLen    = 4
	tcpFlagsEnd = 14 // of the TCP header, up to and with the flags
	tcpMinWords = 5  // of 4 bytes, in a TCP header
)

// rst reports whether the frame is a TCP segment with RST set, or an ABORT of SCTP.
func (f *frame) rst() bool {
	return f.kind == frameTCP && f.flags&tcpRST != 0 || f.kind == frameSCTP && f.chunk == sctp.Abort
}

// gratuitous reports whether the frame is a gratuitous ARP (RFC 5227 3), request or reply,
// or an unsolicited neighbour advertisement.
func (f *frame) gratuitous() bool {
	return f.kind == frameNeighbours && f.senderIP == f.targetIP && !f.senderIP.Netip().IsUnspecified()
}

// parseFrame parses an Ethernet frame that may be cut short. It returns false without an
// Ethernet header. Anything that does not parse further is frameOther.
func parseFrame(b []byte) (frame, bool) {
	var f frame
	if len(b) < etherLen {
		return f, false
	}
	copy(f.dst[:], b[0:6])
	copy(f.src[:], b[6:12])
	payload := b[etherLen:]
	switch binary.BigEndian.Uint16(b[12:]) {
	case etherARP:
		f.parseARP(payload)
	case etherIPv4:
		f.parseIPv4(payload)
	case etherIPv6:
		f.parseIPv6(payload)
	}
	return f, true
}

func (f *frame) parseARP(b []byte) {
	if len(b) < arpLen || binary.BigEndian.Uint32(b) != arpEthIPv4 || binary.BigEndian.Uint16(b[4:]) != arpAddrLens {
		return
	}
	f.kind = frameNeighbours
	f.senderIP, f.targetIP = ipv4At(b[14:]), ipv4At(b[24:])
}

func (f *frame) parseIPv4(b []byte) {
	if len(b) < ipv4MinLen || b[0]>>4 != 4 {
		return
	}
	headerLen := int(b[0]&0xf) * 4
	fragmentOffset := binary.BigEndian.Uint16(b[6:]) & 0x1fff
	if proto := b[9]; (proto == protoVRRP || proto == protoAH) && headerLen >= ipv4MinLen && len(b) >= headerLen && fragmentOffset == 0 {
		end := min(len(b), max(headerLen, int(binary.BigEndian.Uint16(b[2:])))) // without Ethernet padding
		if f.advert = parseAdvert(ipv4At(b[12:]), b[8], proto, b[headerLen:end]); f.advert != nil {
			f.kind = frameAdvert
		}
		return
	}
	if headerLen < ipv4MinLen || len(b) < headerLen+portsLen || fragmentOffset != 0 {
		return
	}
	f.ipID = binary.BigEndian.Uint16(b[4:])
	length := int(binary.BigEndian.Uint16(b[2:])) - headerLen
	f.parseTransport(flow.Proto(b[9]), ipv4At(b[12:]), ipv4At(b[16:]), b[headerLen:], length)
}

// parseIPv6 parses packets without extension headers.
func (f *frame) parseIPv6(b []byte) {
	if len(b) < ipv6Len || b[0]>>4 != 6 {
		return
	}
	proto, src, dst := b[6], flow.Addr(b[8:]), flow.Addr(b[24:])
	if proto == lab.ProtoICMPv6 {
		f.parseNeighbours(src, dst, b[ipv6Len:])
		return
	}
	if proto == protoVRRP {
		end := min(len(b), ipv6Len+int(binary.BigEndian.Uint16(b[4:])))
		if f.advert = parseAdvert(src, b[7], proto, b[ipv6Len:end]); f.advert != nil {
			f.kind = frameAdvert
		}
		return
	}
	f.parseTransport(flow.Proto(proto), src, dst, b[ipv6Len:], int(binary.BigEndian.Uint16(b[4:])))
}

// parseNeighbours parses neighbour solicitations and advertisements (RFC 4861 4.3, 4.4).
func (f *frame) parseNeighbours(src, dst flow.Addr, message []byte) {
	if len(message) < ndpLen {
		return
	}
	target := flow.Addr(message[8:])
	switch message[0] {
	case ip.NeighbourSolicitation:
		f.kind, f.senderIP, f.targetIP = frameNeighbours, src, target
	case ip.NeighbourAdvertisement:
		f.kind, f.senderIP, f.targetIP = frameNeighbours, target, dst
		if message[4]&ip.FlagSolicited == 0 {
			f.targetIP = target
		}
	}
}

// parseTransport parses TCP, UDP and SCTP; length is the full length of the segment.
func (f *frame) parseTransport(proto flow.Proto, src, dst flow.Addr, segment []byte, length int) {
	if len(segment) < portsLen {
		return
	}
	switch {
	case proto == flow.UDP:
		f.kind = frameUDP
	case proto == flow.TCP && len(segment) >= tcpFlagsEnd && segment[12]>>4 >= tcpMinWords:
		f.kind = frameTCP
		f.seq, f.ack = binary.BigEndian.Uint32(segment[4:]), binary.BigEndian.Uint32(segment[8:])
		f.flags = segment[13]
		f.next = f.seq + uint32(length) - uint32(segment[12]>>4)*4
		if f.flags&tcpFIN != 0 {
			f.next++
		}
	case proto == flow.SCTP && min(len(segment), length) >= sctp.HeaderLen+sctp.ChunkLen:
		f.kind = frameSCTP
		f.seq = binary.BigEndian.Uint32(segment[4:])
		f.chunk = chunkOf(segment[sctp.HeaderLen:min(len(segment), length)])
	default:
		return
	}
	f.tuple = flow.Tuple{
		Src: src, Dst: dst,
		SrcPort: binary.BigEndian.Uint16(segment), DstPort: binary.BigEndian.Uint16(segment[2:]),
		Proto: proto,
	}
}

// chunkOf returns the type of a packet's first chunk, or ABORT if one follows it. It stops at DATA,
// which comes last (RFC 9260 6.10).
func chunkOf(chunks []byte) uint8 {
	first := chunks[0]
	for len(chunks) >= sctp.ChunkLen && chunks[0] != sctp.Data && chunks[0] != sctp.IData {
		if chunks[0] == sctp.Abort {
			return sctp.Abort
		}
		length := int(binary.BigEndian.Uint16(chunks[2:])+3) &^ 3
		if length < sctp.ChunkLen || length > len(chunks) {
			break
		}
		chunks = chunks[length:]
	}
	return first
}

func addrOf(a flow.Addr) netip.Addr { return a.Netip() }

func ipv4At(b []byte) flow.Addr { return flow.IPv4From([4]byte(b)) }
