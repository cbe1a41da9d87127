package lab

import (
	"testing"

	"baton/impl/flow"
)

// TestWhichPacketsBelongToAKind pins each kind by packets that it has and the nearest that it
// does not have.
func TestWhichPacketsBelongToAKind(t *testing.T) {
	client, vip, peer := flow.IPv4(198, 18, 0, 11), flow.IPv4(198, 18, 0, 100), flow.IPv4(198, 18, 0, 2)
	udp := func(port uint16) Packet {
		return Packet{Class: ClassIPv4, Proto: ProtoUDP, Src: client, Dst: peer, SrcPort: 50000, DstPort: port}
	}
	tcp := func(from, to uint16, opens bool) Packet {
		return Packet{Class: ClassIPv4, Proto: ProtoTCP, Src: client, Dst: vip, SrcPort: from, DstPort: to, Opens: opens}
	}
	question := Packet{Class: ClassARP, Src: client, Dst: vip}
	announcement := Packet{Class: ClassARP, Src: vip, Dst: vip}
	vip6 := flow.AddrFrom(IPv6.numbered(Clients, firstVIP))
	solicitation := Packet{Class: ClassNDP, Proto: ProtoICMPv6, Src: flow.AddrFrom(IPv6.numbered(Clients, 11)), Dst: vip6}
	advertisement := Packet{Class: ClassNDP, Proto: ProtoICMPv6, Src: vip6, Dst: vip6}
	opens6 := Packet{Class: ClassIPv6, Proto: ProtoTCP, Opens: true, Src: solicitation.Src, Dst: vip6, DstPort: 80}
	addressed := PacketKinds[0].Match
	for _, c := range []struct {
		kind string
		has  []Packet
		not  []Packet
	}{
		{ARP, []Packet{question, announcement, solicitation, advertisement}, []Packet{udp(BFDPort), opens6, {}}},
		{GARP, []Packet{announcement, advertisement}, []Packet{question, solicitation, udp(BFDPort)}},
		{BFD, []Packet{udp(BFDPort)}, []Packet{udp(BFDPort + 1), tcp(50000, BFDPort, false), question}},
		{Stream, []Packet{tcp(50000, SyncPort, true), tcp(SyncPort, 50000, false)}, []Packet{udp(SyncPort), tcp(50000, 80, true)}},
		{VIP, []Packet{tcp(50000, 80, false), opens6}, []Packet{announcement, advertisement, {}}},
		{SYN, []Packet{tcp(50000, 80, true), opens6}, []Packet{tcp(50000, 80, false), udp(80)}},
	} {
		kind, ok := PacketKindOf(c.kind)
		if !ok {
			t.Fatalf("no kind %s", c.kind)
		}
		for _, p := range c.has {
			if !kind.Match.Has(p) {
				t.Errorf("%s has no %+v", c.kind, p)
			}
		}
		for _, p := range c.not {
			if kind.Match.Has(p) {
				t.Errorf("%s has %+v", c.kind, p)
			}
		}
	}
	addressed.Addrs[0] = vip
	if !addressed.Has(question) || addressed.Has(Packet{Class: ClassARP, Src: client, Dst: peer}) || addressed.Has(Packet{Class: ClassARP}) {
		t.Error("an address at either end decides, and none is not an address")
	}
	if !(Match{}).Has(Packet{}) {
		t.Error("no kind has everything")
	}
}
