package netns

import (
	"encoding/binary"

	"baton/impl/flow"
	"baton/netns/internal/ip"
	"baton/scenarios/lab"
)

// packetOf parses the fields of a frame that lab.Match compares, as the BPF program does: of IP in
// IP those of the packet inside.
func packetOf(frame []byte) (p lab.Packet) {
	switch binary.BigEndian.Uint16(frame[ethType:]) {
	case ip.EtherARP:
		p.Class = lab.ClassARP
		if len(frame) >= arpEnd {
			p.Src, p.Dst = flow.IPv4From([4]byte(frame[arpSender:])), flow.IPv4From([4]byte(frame[arpTarget:]))
		}
	case ip.EtherIPv4:
		p.Class = lab.ClassIPv4
		if len(frame) >= ipEnd {
			p.Proto, p.Src, p.Dst = frame[ipProtocol], flow.IPv4From([4]byte(frame[ipSource:])), flow.IPv4From([4]byte(frame[ipTarget:]))
			if frame[ipVersion] == ipv4NoOpts {
				portsOf(&p, frame[ipEnd:])
				insideOf(&p, frame[ip.Len4:])
			}
		}
	case ip.EtherIPv6:
		p.Class = lab.ClassIPv6
		if len(frame) >= ip6End {
			p.Proto, p.Src, p.Dst = frame[ip6Protocol], flow.Addr(frame[ip6Source:]), flow.Addr(frame[ip6Target:])
			portsOf(&p, frame[ip6End:])
			neighboursOf(&p, frame)
			insideOf(&p, frame[ip.Len6:])
		}
	}
	return p
}

// insideOf parses the packet that a packet of IP in IP has inside. Its header is where a frame's
// would be.
func insideOf(p *lab.Packet, frame []byte) {
	switch {
	case p.Proto == lab.ProtoIPv4 && len(frame) >= ipEnd:
		*p = lab.Packet{Class: lab.ClassIPv4, Proto: frame[ipProtocol], Src: flow.IPv4From([4]byte(frame[ipSource:])), Dst: flow.IPv4From([4]byte(frame[ipTarget:]))}
		portsOf(p, frame[ipEnd:])
	case p.Proto == lab.ProtoIPv6 && len(frame) >= ip6End:
		*p = lab.Packet{Class: lab.ClassIPv6, Proto: frame[ip6Protocol], Src: flow.Addr(frame[ip6Source:]), Dst: flow.Addr(frame[ip6Target:])}
		portsOf(p, frame[ip6End:])
	}
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
