package lab

import "testing"

// TestWhichPacketsAKindHas pins each kind by packets that it has and the nearest that it
// does not have.
func TestWhichPacketsAKindHas(t *testing.T) {
	client, vip, peer := [4]byte{198, 18, 0, 11}, [4]byte{198, 18, 0, 100}, [4]byte{198, 18, 0, 2}
	udp := func(port uint16) Packet {
		return Packet{Ether: EtherIPv4, Proto: ProtoUDP, Src: client, Dst: peer, SrcPort: 50000, DstPort: port}
	}
	tcp := func(from, to uint16, opens bool) Packet {
		return Packet{Ether: EtherIPv4, Proto: ProtoTCP, Src: client, Dst: vip, SrcPort: from, DstPort: to, Opens: opens}
	}
	question := Packet{Ether: EtherARP, Src: client, Dst: vip}
	announcement := Packet{Ether: EtherARP, Src: vip, Dst: vip}
	addressed := PacketKinds[0].Match
	for _, c := range []struct {
		kind string
		has  []Packet
		not  []Packet
	}{
		{ARP, []Packet{question, announcement}, []Packet{udp(BFDPort), {}}},
		{GARP, []Packet{announcement}, []Packet{question, udp(BFDPort)}},
		{BFD, []Packet{udp(BFDPort)}, []Packet{udp(BFDPort + 1), tcp(50000, BFDPort, false), question}},
		{Stream, []Packet{tcp(50000, SyncPort, true), tcp(SyncPort, 50000, false)}, []Packet{udp(SyncPort), tcp(50000, 80, true)}},
		{SYN, []Packet{tcp(50000, 80, true)}, []Packet{tcp(50000, 80, false), udp(80)}},
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
	if !addressed.Has(question) || addressed.Has(Packet{Ether: EtherARP, Src: client, Dst: peer}) || addressed.Has(Packet{Ether: EtherARP}) {
		t.Error("an address at either end decides, and none is not an address")
	}
	if !(Match{}).Has(Packet{}) {
		t.Error("no kind has everything")
	}
}
