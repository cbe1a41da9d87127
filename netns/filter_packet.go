package netns

import (
	"encoding/binary"

	"baton/impl/flow"
	"baton/netns/internal/ip"
	"baton/scenarios/lab"
)

// packetOf parses the fields of a frame that lab.Match compares, as the BPF program does. For IP
// in IP they are those of the inner packet.
func packetOf(frame []byte) (p lab.Packet) {
	switch binary.BigEndian.Uint16(frame[ethType:]) {
	case ip.EtherARP:
		p.Class = lab.ClassARP
		if len(frame) >= arpEnd {
			p.Src, p.Dst = flow.IPv4From([4]byte(frame[arpSender:])), flow.IPv4From([4]byte(frame[arpTarget:]))
		}
	case ip.EtherIPv4:
		if p = ipOf(lab.IPv4, frame); len(frame) >= ipEnd && portsFollow(lab.IPv4, frame) {
			p = insideOf(p, frame[ip.Len4:])
		}
	case ip.EtherIPv6:
		if p = ipOf(lab.IPv6, frame); len(frame) >= ip6End {
			neighboursOf(&p, frame)
			p = insideOf(p, frame[ip.Len6:])
		}
	}
	return p
}

// ipOf parses a frame's IP header and the ports after it.
func ipOf(f lab.Family, frame []byte) lab.Packet {
	at, p := headers[f], lab.Packet{Class: lab.IPOf(f)}
	if len(frame) < int(at.end) {
		return p
	}
	p.Proto, p.Src, p.Dst = frame[at.proto], addrOf(f, frame[at.source:]), addrOf(f, frame[at.target:])
	if portsFollow(f, frame) {
		portsOf(&p, frame[at.end:])
	}
	return p
}

// portsFollow reports whether the ports directly follow the header: an IPv4 header has no options.
func portsFollow(f lab.Family, frame []byte) bool {
	return f == lab.IPv6 || frame[ipVersion] == ipv4NoOpts
}

func addrOf(f lab.Family, b []byte) flow.Addr {
	if f == lab.IPv4 {
		return flow.IPv4From([4]byte(b))
	}
	return flow.Addr(b)
}

// insideOf parses the inner packet of IP in IP; without one it returns outer. frame is advanced by
// the length of the outer header, so that the offsets in headers locate the inner one.
func insideOf(outer lab.Packet, frame []byte) lab.Packet {
	for i, proto := range [lab.Families]uint8{lab.IPv4: lab.ProtoIPv4, lab.IPv6: lab.ProtoIPv6} {
		if f := lab.Family(i); outer.Proto == proto && len(frame) >= int(headers[f].end) {
			return ipOf(f, frame)
		}
	}
	return outer
}

// portsOf parses the ports and flags of the protocols that have ports.
func portsOf(p *lab.Packet, b []byte) {
	if p.Proto != lab.ProtoTCP && p.Proto != lab.ProtoUDP && p.Proto != lab.ProtoSCTP || len(b) < portsEnd-ipEnd {
		return
	}
	p.SrcPort, p.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	p.Opens = p.Proto == lab.ProtoTCP && len(b) >= tcpFlagsEnd-ipEnd && b[tcpFlags-ipEnd]&(tcpSYN|tcpACK) == tcpSYN
}

// neighboursOf parses neighbour solicitations and advertisements.
func neighboursOf(p *lab.Packet, frame []byte) {
	if p.Proto != lab.ProtoICMPv6 || len(frame) < ndpEnd {
		return
	}
	target := flow.Addr(frame[ndpTarget:])
	switch frame[ip6End] {
	case ip.NeighbourSolicitation:
		p.Class, p.Dst = lab.ClassNDP, target
	case ip.NeighbourAdvertisement:
		p.Class, p.Src = lab.ClassNDP, target
		if frame[ndpFlags]&ip.FlagSolicited == 0 {
			p.Dst = target
		}
	}
}
