package model

import (
	"encoding/binary"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Header lengths and offsets of Ethernet, IPv4 (RFC 791), TCP and UDP.
const (
	ethLen     = 14
	ipMinLen   = 20
	tcpMinLen  = 20
	udpLen     = 8
	portsLen   = 4
	ipChecksum = ethLen + 10

	etherTypeIPv4 = 0x0800
	etherTypeARP  = 0x0806
	etherTypeIPv6 = 0x86dd

	moreFragments  = 0x2000
	fragmentOffset = 0x1fff
)

// noReason means that a packet need not be dropped.
const noReason = dataplane.DropKinds

// packet is a parsed frame.
type packet struct {
	frame    []byte
	tuple    flow.Tuple
	l4       int  // offset of TCP, UDP or SCTP
	flags    byte // of SCTP: see role
	hasPorts bool // the tuple is complete
	more     bool // the first fragment of several
	relayed  bool // relayed by the peer, and this node has no lease
	// Offset of the IPv6 fragment header; 0 without one.
	fragmentAt int
	// For TCP: its numbers and the length of its data. For SCTP: its verification tag, and the
	// initiate tag of INIT and INIT ACK. For an ICMP error: seq of the quoted segment.
	seq, ack, payload uint32

	chunk     byte // type of SCTP's chunk
	reflected bool // SCTP's T bit

	kind    kind
	innerL4 int // for an ICMP error: offset of the quoted TCP or UDP
}

// kind is the kind of a packet.
type kind uint8

const (
	segment   kind = iota // TCP, UDP or SCTP
	icmpEcho              // an ICMP echo request
	icmpError             // an ICMP error about a segment; its tuple is that of the segment's replies
	fragment              // a fragment other than the first
)

func (p *packet) ip() []byte { return p.frame[ethLen:] }

func ipv4At(b []byte) flow.Addr { return flow.IPv4From([4]byte(b)) }

// family has the header offsets of an IP version.
type family struct {
	version  byte
	minLen   int
	src, dst int // offsets of the addresses
	addrLen  int
	ttl      int // offset of TTL or hop limit
	icmp     flow.Proto

	etherType uint16
}

var (
	v4 = &family{version: 4, minLen: ipMinLen, src: 12, dst: 16, addrLen: 4, ttl: 8, icmp: icmp, etherType: etherTypeIPv4}
	v6 = &family{version: 6, minLen: ipv6Len, src: 8, dst: 24, addrLen: 16, ttl: 7, icmp: icmpv6, etherType: etherTypeIPv6}
)

// family returns the packet's family.
func (p *packet) family() *family {
	if p.ip()[0]>>4 == 6 {
		return v6
	}
	return v4
}

func (f *family) addr(ip []byte, at int) flow.Addr {
	if f == v4 {
		return ipv4At(ip[at:])
	}
	return flow.Addr(ip[at:])
}

func (p *packet) ttl() byte { return p.ip()[p.family().ttl] }

func be16(b []byte) int { return int(binary.BigEndian.Uint16(b)) }

// parseAddresses parses the addresses. A shorter packet concerns no VIP.
func parseAddresses(frame []byte) (packet, bool) {
	p, f := packet{frame: frame}, v4
	if be16(frame[12:]) == etherTypeIPv6 {
		f = v6
	}
	if len(frame) < ethLen+f.minLen || frame[ethLen]>>4 != f.version {
		return p, false
	}
	p.tuple.Src, p.tuple.Dst = f.addr(p.ip(), f.src), f.addr(p.ip(), f.dst)
	return p, true
}

// parse parses the packet. It returns noReason, or why a packet to a VIP is dropped.
func (d *Dataplane) parse(p *packet, unicast bool) dataplane.Drop {
	parse, check := p.parseTransport, p.checkHeader
	if p.family() == v6 {
		parse, check = p.parseTransport6, p.checkHeader6
	}
	reason := parse(d.cfg.DropEcho)
	switch {
	case !unicast:
		return dataplane.DropMalformed
	case reason != noReason:
		return reason
	}
	return check()
}

// parseTransport parses the rest of the tuple.
func (p *packet) parseTransport(dropEcho bool) dataplane.Drop {
	ip := p.ip()
	headerLen, total, fragments := int(ip[0]&0xf)*4, be16(ip[2:]), be16(ip[6:])
	proto := flow.Proto(ip[9])
	if headerLen < ipMinLen || total < headerLen || total > len(ip) {
		return dataplane.DropMalformed
	}
	p.l4 = ethLen + headerLen
	segment := ip[headerLen:total]
	switch {
	case proto == icmp && fragments&(fragmentOffset|moreFragments) != 0:
		return dataplane.DropFragment
	case proto == icmp:
		return p.parseICMP(segment, dropEcho)
	case !proto.Balanced():
		return dataplane.DropOtherProto
	case fragments&fragmentOffset != 0:
		p.kind = fragment
		return noReason
	}
	p.more = fragments&moreFragments != 0
	return p.parseSegment(proto, segment)
}

// parseSegment parses the ports and the rest of the transport header.
func (p *packet) parseSegment(proto flow.Proto, segment []byte) dataplane.Drop {
	if len(segment) < portsLen || be16(segment) == 0 { // port 0 is reserved for affinities
		return dataplane.DropMalformed
	}
	p.tuple.Proto = proto
	p.tuple.SrcPort, p.tuple.DstPort = uint16(be16(segment)), uint16(be16(segment[2:]))
	p.hasPorts = true
	if proto == flow.TCP {
		return p.parseTCP(segment)
	}
	if proto == flow.SCTP {
		return p.parseSCTP(segment)
	}
	return p.parseUDP(segment)
}

func (p *packet) parseTCP(segment []byte) dataplane.Drop {
	if len(segment) < tcpMinLen {
		return dataplane.DropMalformed
	}
	offset := int(segment[12]>>4) * 4
	if offset < tcpMinLen || offset > len(segment) {
		return dataplane.DropMalformed
	}
	p.flags = segment[13]
	p.seq, p.ack = binary.BigEndian.Uint32(segment[4:]), binary.BigEndian.Uint32(segment[8:])
	p.payload = uint32(len(segment) - offset)
	return noReason
}

func (p *packet) parseUDP(segment []byte) dataplane.Drop {
	if len(segment) < udpLen {
		return dataplane.DropMalformed
	}
	if length := be16(segment[4:]); length < udpLen || length > len(segment) && !p.more {
		return dataplane.DropMalformed
	}
	return noReason
}

// bytes returns an address as it stands in a header of the family. A damaged entry may have an address
// of the other family.
func (f *family) bytes(a *flow.Addr) []byte { return a[len(a)-f.addrLen:] }

// readdress changes the packet's addresses and decrements its TTL. It returns the change of
// the addresses' sum, for the transport checksum.
func (p *packet) readdress(src, dst flow.Addr) (addresses change) {
	f, ip := p.family(), p.ip()
	addresses.replace(ip[f.src:f.src+f.addrLen], f.bytes(&src))
	addresses.replace(ip[f.dst:f.dst+f.addrLen], f.bytes(&dst))
	if f == v6 {
		ip[f.ttl]--
		return addresses
	}
	header := addresses
	header.replace(ip[8:10], []byte{ip[8] - 1, ip[9]})
	header.apply(ip[10:])
	return addresses
}

// translate rewrites the frame to the tuple to, in place, and decrements the TTL. A wrong
// checksum stays wrong.
func (p *packet) translate(to flow.Tuple) {
	segment, addresses := p.frame[p.l4:], p.readdress(to.Src, to.Dst)
	if to.Proto == flow.SCTP {
		translateSCTP(p.transport(), to)
		return
	}
	var ports change
	ports.replace(segment[0:2], []byte{byte(to.SrcPort >> 8), byte(to.SrcPort)})
	ports.replace(segment[2:4], []byte{byte(to.DstPort >> 8), byte(to.DstPort)})

	if to.Proto == flow.TCP {
		(addresses + ports).apply(segment[16:])
		return
	}
	check := segment[6:8]
	if be16(check) == 0 {
		return // RFC 768: no checksum
	}
	(addresses + ports).apply(check)
	if be16(check) == 0 {
		check[0], check[1] = 0xff, 0xff // RFC 768: zero is sent as all ones
	}
}

// change is a difference of 16-bit words in ones' complement arithmetic, not yet folded.
type change uint64

// replace overwrites old with new, of the same length, and adds the difference.
func (c *change) replace(old, new []byte) {
	for i := 0; i < len(old); i += 2 {
		*c += change(^uint16(be16(old[i:])))
		*c += change(be16(new[i:]))
	}
	copy(old, new)
}

// apply updates the checksum at sum (RFC 1624, equation 3).
func (c change) apply(sum []byte) {
	total := uint64(c) + uint64(^uint16(be16(sum)))
	for total>>16 != 0 {
		total = total&0xffff + total>>16
	}
	binary.BigEndian.PutUint16(sum, ^uint16(total))
}
