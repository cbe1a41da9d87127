package lab

import (
	"slices"

	"baton/impl/flow"
)

// Packet has the fields by which a Match selects packets. Fields that a packet does not have are
// 0.
type Packet struct {
	Class            Class
	Proto            uint8 // of IP
	Opens            bool  // TCP: SYN without ACK
	Src, Dst         flow.Addr
	SrcPort, DstPort uint16 // of TCP and UDP
}

// Class is the outermost protocol of a packet. Each class is a bit.
type Class uint8

// The classes. NDP has the neighbour solicitations and advertisements of IPv6; other ICMPv6
// belongs to the class IPv6.
const (
	ClassARP Class = 1 << iota
	ClassNDP
	ClassIPv4
	ClassIPv6

	Neighbours = ClassARP | ClassNDP
	IP         = ClassIPv4 | ClassIPv6
)

// IPOf returns the class of a family's packets.
func IPOf(f Family) Class { return [Families]Class{ClassIPv4, ClassIPv6}[f] }

// NeighboursOf returns the class of a family's neighbour discovery: ARP or NDP.
func NeighboursOf(f Family) Class { return [Families]Class{ClassARP, ClassNDP}[f] }

// IP protocols.
const (
	ProtoIPv4   = 4 // a packet inside another
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoIPv6   = 41
	ProtoICMPv6 = 58
	ProtoSCTP   = 132
)

// Ports of heartbeat and sync.
const (
	BFDPort  = 3784
	SyncPort = 3790
)

// MaxAddrs is the largest number of addresses of a Match.
const MaxAddrs = 4

// Match selects packets. The zero value selects all. The addresses of an ARP packet are its sender
// and target; of a neighbour solicitation its source and target; of an advertisement its target
// and, unless it is unsolicited, its destination.
type Match struct {
	Class      Class // a set; 0 for any
	Proto      uint8
	Opens      bool
	Gratuitous bool                // sender and target are the same address, or an unsolicited advertisement
	Port       uint16              // source or destination
	Addrs      [MaxAddrs]flow.Addr // source or destination is one of them; unused ones are 0
}

// Has reports whether a packet matches.
func (m Match) Has(p Packet) bool {
	switch {
	case m == Match{}:
		return true
	case m.Class != 0 && m.Class&p.Class == 0,
		m.Proto != 0 && m.Proto != p.Proto,
		m.Opens && !p.Opens,
		m.Gratuitous && p.Src != p.Dst,
		m.Port != 0 && m.Port != p.SrcPort && m.Port != p.DstPort:
		return false
	}
	return m.Addrs == [MaxAddrs]flow.Addr{} || m.Concerns(p.Src) || m.Concerns(p.Dst)
}

// Concerns reports whether an address is one of Addrs.
func (m Match) Concerns(addr flow.Addr) bool {
	return addr != flow.Addr{} && slices.Contains(m.Addrs[:], addr)
}

// Kinds of packets that a selector can name besides services.
const (
	ARP    = "arp"
	BFD    = "bfd"
	GARP   = "garp"
	Stream = "stream"
	SYN    = "syn"
	VIP    = "vip"
)

// PacketKind is a kind of packets.
type PacketKind struct {
	Name, Doc string
	Match     Match // without addresses, which come from the plan
}

// PacketKinds is the table of the kinds.
var PacketKinds = []PacketKind{
	{ARP, "ARP, of any kind, and the neighbour solicitations and advertisements of IPv6", Match{Class: Neighbours}},
	{BFD, "the heartbeat, UDP to port 3784", Match{Class: IP, Proto: ProtoUDP, Port: BFDPort}},
	{GARP, "gratuitous ARP and unsolicited neighbour advertisements, by which an address is announced", Match{Class: Neighbours, Gratuitous: true}},
	{Stream, "the connection sync stream, TCP port 3790", Match{Class: IP, Proto: ProtoTCP, Port: SyncPort}},
	{SYN, "segments that open a TCP connection: SYN without ACK", Match{Class: IP, Proto: ProtoTCP, Opens: true}},
	{VIP, "IP from or to a VIP, those on the backends' side included", Match{Class: IP}},
}

// PacketKindOf finds a kind by its name.
func PacketKindOf(name string) (PacketKind, bool) {
	i := slices.IndexFunc(PacketKinds, func(k PacketKind) bool { return k.Name == name })
	if i < 0 {
		return PacketKind{}, false
	}
	return PacketKinds[i], true
}

// KindNames lists the names of the kinds.
func KindNames() []string {
	names := make([]string, len(PacketKinds))
	for i, k := range PacketKinds {
		names[i] = k.Name
	}
	return names
}
