package lab

import "slices"

// Packet is what kinds of packets are told by. What a packet does not have is 0.
type Packet struct {
	Ether            uint16 // EtherType
	Proto            uint8  // of IPv4
	Opens            bool   // TCP: SYN without ACK
	Src, Dst         [4]byte
	SrcPort, DstPort uint16 // of TCP and UDP
}

// EtherTypes and IP protocols that kinds are told by.
const (
	EtherIPv4 = 0x0800
	EtherARP  = 0x0806
	ProtoTCP  = 6
	ProtoUDP  = 17
)

// Ports that kinds are told by.
const (
	BFDPort  = 3784
	SyncPort = 3790
)

// MaxAddrs is how many addresses a Match holds at most.
const MaxAddrs = 4

// Match says which packets a kind has. The zero value has all of them. The addresses of
// ARP are those of its sender and its target.
type Match struct {
	Ether      uint16
	Proto      uint8
	Opens      bool
	Gratuitous bool              // of an address about itself
	Port       uint16            // at either end
	Addrs      [MaxAddrs][4]byte // one of them, at either end; as many as are not 0
}

// Has reports whether a packet is of the kind.
func (m Match) Has(p Packet) bool {
	switch {
	case m == Match{}:
		return true
	case m.Ether != 0 && m.Ether != p.Ether,
		m.Proto != 0 && m.Proto != p.Proto,
		m.Opens && !p.Opens,
		m.Gratuitous && p.Src != p.Dst,
		m.Port != 0 && m.Port != p.SrcPort && m.Port != p.DstPort:
		return false
	}
	return m.Addrs == [MaxAddrs][4]byte{} || m.Concerns(p.Src) || m.Concerns(p.Dst)
}

// Concerns reports whether an address is one of those named.
func (m Match) Concerns(addr [4]byte) bool {
	return addr != [4]byte{} && slices.Contains(m.Addrs[:], addr)
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
	{ARP, "ARP, of any kind", Match{Ether: EtherARP}},
	{BFD, "the heartbeat, UDP to port 3784", Match{Ether: EtherIPv4, Proto: ProtoUDP, Port: BFDPort}},
	{GARP, "gratuitous ARP, by which an address is announced", Match{Ether: EtherARP, Gratuitous: true}},
	{Stream, "the connection sync stream, TCP port 3790", Match{Ether: EtherIPv4, Proto: ProtoTCP, Port: SyncPort}},
	{SYN, "segments that open a TCP connection: SYN without ACK", Match{Ether: EtherIPv4, Proto: ProtoTCP, Opens: true}},
	{VIP, "IPv4 from or to a VIP, that on the backends' side included", Match{Ether: EtherIPv4}},
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
