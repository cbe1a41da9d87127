package lab

import (
	"slices"

	"baton/impl/flow"
)

// Packet is what kinds of packets are told by. What a packet does not have is 0.
type Packet struct {
	Class            Class
	Proto            uint8 // of IP
	Opens            bool  // TCP: SYN without ACK
	Src, Dst         flow.Addr
	SrcPort, DstPort uint16 // of TCP and UDP
}

// Class tells packets by their outermost protocol. Each class is a bit.
type Class uint8

// The classes. NDP is the neighbour solicitations and advertisements of IPv6, which do what
// ARP does; other ICMPv6 is of the class IPv6.
const (
	ClassARP Class = 1 << iota
	ClassNDP
	ClassIPv4
	ClassIPv6

	Neighbours = ClassARP | ClassNDP
	IP         = ClassIPv4 | ClassIPv6
)

// IPOf is the class of a family's packets.
func IPOf(f Family) Class { return [Families]Class{ClassIPv4, ClassIPv6}[f] }

// NeighboursOf is the class by which a family's hosts find each other.
func NeighboursOf(f Family) Class { return [Families]Class{ClassARP, ClassNDP}[f] }

// IP protocols that kinds are told by.
const (
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
)

// Ports that kinds are told by.
const (
	BFDPort  = 3784
	SyncPort = 3790
)

// MaxAddrs is how many addresses a Match holds at most.
const MaxAddrs = 4

// Match says which packets a kind has. The zero value has all of them. The addresses of
// ARP are those of its sender and its target; a neighbour solicitation's are its source and
// its target, an advertisement's its target and, unless unsolicited, its destination.
type Match struct {
	Class      Class // one of them; 0 for any
	Proto      uint8
	Opens      bool
	Gratuitous bool                // of an address about itself, an unsolicited advertisement
	Port       uint16              // at either end
	Addrs      [MaxAddrs]flow.Addr // one of them, at either end; as many as are not 0
}

// Has reports whether a packet is of the kind.
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

// Concerns reports whether an address is one of those named.
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
	Match     Match // without the addresses, which are the plan's
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
