package capture

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"baton/impl/flow"
	"baton/impl/sctp"
)

// build serialises layers by an implementation that is not ours.
func build(t testing.TB, stack ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, stack...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	lb1MAC    = mac{2, 0xba, 0x70, 0, 1, 1}
	clientMAC = mac{2, 0xba, 0x70, 0, 2, 1}
	vipAddr   = flow.IPv4(198, 18, 0, 100)
	webTuple  = flow.Tuple{Src: vipAddr, Dst: flow.IPv4(198, 18, 0, 11), SrcPort: 80, DstPort: 40123, Proto: flow.TCP}
)

func ether(kind layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: lb1MAC[:], DstMAC: clientMAC[:], EthernetType: kind}
}

func ipv4(proto layers.IPProtocol, options int) *layers.IPv4 {
	ip := &layers.IPv4{Version: 4, TTL: 64, Id: 77, Protocol: proto, SrcIP: webTuple.Src.Bytes(), DstIP: webTuple.Dst.Bytes()}
	for range options {
		ip.Options = append(ip.Options, layers.IPv4Option{OptionType: 1})
	}
	return ip
}

func rstFrame(t testing.TB, options int) []byte {
	return build(t, ether(layers.EthernetTypeIPv4), ipv4(layers.IPProtocolTCP, options),
		&layers.TCP{SrcPort: 80, DstPort: 40123, Seq: 1000, Ack: 2000, RST: true, ACK: true})
}

func arpFrame(t testing.TB, operation uint16, target flow.Addr) []byte {
	return build(t, ether(layers.EthernetTypeARP), &layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4,
		HwAddressSize: 6, ProtAddressSize: 4, Operation: operation, SourceHwAddress: lb1MAC[:], SourceProtAddress: vipAddr.Bytes(),
		DstHwAddress: make([]byte, 6), DstProtAddress: target.Bytes()})
}

// A FIN takes a sequence number after the payload.
func TestTheNextSequenceNumberIsRead(t *testing.T) {
	payload := gopacket.Payload("0123456789")
	for _, fin := range []bool{false, true} {
		f, ok := parseFrame(build(t, ether(layers.EthernetTypeIPv4), ipv4(layers.IPProtocolTCP, 8), &layers.TCP{SrcPort: 80, Seq: 1000, ACK: true, FIN: fin,
			Options: []layers.TCPOption{{OptionType: layers.TCPOptionKindNop}, {OptionType: layers.TCPOptionKindNop}}}, payload))
		want := uint32(1010)
		if fin {
			want++
		}
		if !ok || f.next != want {
			t.Errorf("FIN %v: next %d, want %d", fin, f.next, want)
		}
	}
}

func TestSegmentsAreRead(t *testing.T) {
	for _, options := range []int{0, 8} {
		f, ok := parseFrame(rstFrame(t, options))
		if !ok || !f.rst() || f.tuple != webTuple || f.seq != 1000 || f.ack != 2000 || f.next != 1000 || f.flags != tcpRST|tcpACK ||
			f.src != lb1MAC || f.dst != clientMAC || f.ipID != 77 {
			t.Errorf("with %d bytes of IP options: %+v", options, f)
		}
	}
	udp := build(t, ether(layers.EthernetTypeIPv4), ipv4(layers.IPProtocolUDP, 0), &layers.UDP{SrcPort: 80, DstPort: 40123})
	want := webTuple
	want.Proto = flow.UDP
	if f, ok := parseFrame(udp); !ok || f.kind != frameUDP || f.tuple != want {
		t.Errorf("datagram: %+v", f)
	}
}

// An ABORT is found after other control chunks; payload is never taken for one.
func TestAnABORTIsRead(t *testing.T) {
	want := webTuple
	want.Proto = flow.SCTP
	sctpFrame := func(chunks ...[]byte) []byte {
		p := sctp.Packet{SrcPort: want.SrcPort, DstPort: want.DstPort, Tag: 7}.Marshal()[:sctp.HeaderLen]
		return build(t, ether(layers.EthernetTypeIPv4), ipv4(layers.IPProtocolSCTP, 0), gopacket.Payload(bytes.Join(append([][]byte{p}, chunks...), nil)))
	}
	abort, sack, data := []byte{sctp.Abort, 0, 0, 4}, []byte{sctp.Sack, 0, 0, 6, 1, 1, 0, 0}, []byte{sctp.Data, 3, 0, 8, sctp.Abort, 0, 0, 4}
	for _, tt := range []struct {
		frame []byte
		chunk uint8
	}{
		{sctpFrame(abort), sctp.Abort},
		{sctpFrame(sack, abort), sctp.Abort},
		{sctpFrame(sack, data), sctp.Sack},
		{sctpFrame(data, abort), sctp.Data},
		{sctpFrame([]byte{sctp.Sack, 0, 0, 0}, abort), sctp.Sack},
	} {
		f, ok := parseFrame(tt.frame)
		if !ok || f.kind != frameSCTP || f.tuple != want || f.seq != 7 || f.chunk != tt.chunk || f.rst() != (tt.chunk == sctp.Abort) {
			t.Errorf("%x: %+v", tt.frame, f)
		}
	}
	if f, ok := parseFrame(sctpFrame()); !ok || f.kind != frameOther {
		t.Errorf("without a chunk: %+v", f)
	}
}

var (
	vip6     = flow.AddrFrom(netip.MustParseAddr("2001:2::100"))
	client6  = flow.AddrFrom(netip.MustParseAddr("2001:2::11"))
	web6     = flow.Tuple{Src: vip6, Dst: client6, SrcPort: 80, DstPort: 40123, Proto: flow.TCP}
	allNodes = flow.AddrFrom(netip.MustParseAddr("ff02::1"))
)

func ipv6(t testing.TB, proto layers.IPProtocol, dst flow.Addr, inner ...gopacket.SerializableLayer) []byte {
	header := &layers.IPv6{Version: 6, NextHeader: proto, HopLimit: 255, SrcIP: vip6[:], DstIP: dst[:]}
	return build(t, append([]gopacket.SerializableLayer{ether(layers.EthernetTypeIPv6), header}, inner...)...)
}

func rstFrame6(t testing.TB) []byte {
	return ipv6(t, layers.IPProtocolTCP, client6, &layers.TCP{SrcPort: 80, DstPort: 40123, Seq: 1000, Ack: 2000, RST: true, ACK: true})
}

func advertisement(t testing.TB, dst flow.Addr, flags uint8) []byte {
	return ipv6(t, layers.IPProtocolICMPv6, dst, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborAdvertisement, 0)},
		&layers.ICMPv6NeighborAdvertisement{Flags: flags, TargetAddress: vip6[:]})
}

func solicitation(t testing.TB) []byte {
	return ipv6(t, layers.IPProtocolICMPv6, client6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborSolicitation, 0)},
		&layers.ICMPv6NeighborSolicitation{TargetAddress: client6[:]})
}

func TestSegmentsOfIPv6AreRead(t *testing.T) {
	if f, ok := parseFrame(rstFrame6(t)); !ok || !f.rst() || f.tuple != web6 || f.seq != 1000 || f.ack != 2000 || f.next != 1000 {
		t.Errorf("%+v", f)
	}
	data := ipv6(t, layers.IPProtocolTCP, client6, &layers.TCP{SrcPort: 80, Seq: 1000, FIN: true}, gopacket.Payload("0123456789"))
	if f, _ := parseFrame(data); f.next != 1011 {
		t.Errorf("next %d, want 1011", f.next)
	}
	want := web6
	want.Proto = flow.UDP
	if f, _ := parseFrame(ipv6(t, layers.IPProtocolUDP, client6, &layers.UDP{SrcPort: 80, DstPort: 40123})); f.kind != frameUDP || f.tuple != want {
		t.Errorf("datagram: %+v", f)
	}
	if f, _ := parseFrame(ipv6(t, layers.IPProtocolIPv6Fragment, client6, gopacket.Payload(make([]byte, 40)))); f.kind != frameOther {
		t.Errorf("a fragment: %+v", f)
	}
}

// TestAdvertsOverIPv6AreRead: their addresses have 16 bytes, and the virtual MAC address is
// that of the family (RFC 9568 7.3).
func TestAdvertsOverIPv6AreRead(t *testing.T) {
	advert := func(addresses int) []byte {
		message := []byte{0x31, 51, 100, 1, 0, 5, 0, 0}
		return ipv6(t, protoVRRP, flow.AddrFrom(netip.MustParseAddr("ff02::12")), gopacket.Payload(append(message, make([]byte, addresses)...)))
	}
	f, _ := parseFrame(advert(16))
	if f.kind != frameAdvert {
		t.Fatalf("%+v", f)
	}
	if got := f.advert.String(); got != "VRRPv3 advert of router 51, priority 100, every 50ms" {
		t.Error(got)
	}
	if f.advert.source != vip6 || f.advert.virtualMAC() != (mac{0, 0, 0x5e, 0, 2, 51}) {
		t.Errorf("from %s, virtual MAC %s", f.advert.source, f.advert.virtualMAC())
	}
	version2 := advert(16)
	version2[etherLen+ipv6Len] = 0x21
	if f, _ := parseFrame(version2); f.kind != frameOther {
		t.Errorf("VRRPv2, which is for IPv4 alone: %+v", f)
	}
	if f, _ := parseFrame(advert(15)); f.kind != frameOther {
		t.Errorf("shorter than its address: %+v", f)
	}
	forwarded := advert(16)
	forwarded[etherLen+7] = advertTTL - 1
	if f, _ := parseFrame(forwarded); f.kind != frameOther {
		t.Errorf("through a router: %+v", f)
	}
}

func TestOnlyAnAnnouncementIsGratuitous(t *testing.T) {
	for name, tt := range map[string]struct {
		frame []byte
		want  bool
	}{
		"request for the own address": {arpFrame(t, layers.ARPRequest, vipAddr), true},
		"reply for the own address":   {arpFrame(t, layers.ARPReply, vipAddr), true},
		"request for another":         {arpFrame(t, layers.ARPRequest, flow.IPv4(198, 18, 0, 11)), false},
		"a RST":                       {rstFrame(t, 0), false},
		"unsolicited advertisement":   {advertisement(t, allNodes, 0xa0), true},
		"an answer to one":            {advertisement(t, client6, 0xe0), false},
		"solicitation":                {solicitation(t), false},
		"a RST of IPv6":               {rstFrame6(t), false},
	} {
		if f, ok := parseFrame(tt.frame); !ok || f.gratuitous() != tt.want {
			t.Errorf("%s: gratuitous %v, want %v", name, f.gratuitous(), tt.want)
		}
	}
	probe := arpFrame(t, layers.ARPRequest, flow.IPv4(0, 0, 0, 0))
	copy(probe[28:32], []byte{0, 0, 0, 0}) // sender address: RFC 5227 probe of 0.0.0.0
	if f, _ := parseFrame(probe); f.gratuitous() {
		t.Error("an ARP probe is taken for an announcement")
	}
}

func TestFragmentsAndForeignFramesAreNotTakenForSegments(t *testing.T) {
	fragment := rstFrame(t, 0)
	binary.BigEndian.PutUint16(fragment[20:], 0x00b9)
	badLength := rstFrame(t, 0)
	badLength[14] = 0x44 // a header of 16 bytes
	version6 := rstFrame(t, 0)
	version6[14] = 0x65
	tokenRing := arpFrame(t, layers.ARPRequest, vipAddr)
	tokenRing[15] = 6
	for name, b := range map[string][]byte{"fragment": fragment, "short header": badLength, "version 6": version6, "ARP of another medium": tokenRing} {
		if f, ok := parseFrame(b); !ok || f.kind != frameOther {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestCutFramesOfIPv6AreNotReadBeyondTheirEnd(t *testing.T) {
	for _, whole := range [][]byte{rstFrame6(t), advertisement(t, allNodes, 0xa0)} {
		for n := range whole {
			if f, _ := parseFrame(whole[:n:n]); n < etherLen+ipv6Len+tcpFlagsEnd && f.kind != frameOther {
				t.Errorf("%d bytes: taken for %+v", n, f)
			}
		}
	}
}

func TestCutFramesAreNotReadBeyondTheirEnd(t *testing.T) {
	whole := rstFrame(t, 8)
	for n := range whole {
		f, ok := parseFrame(whole[:n:n])
		if ok != (n >= etherLen) {
			t.Errorf("%d bytes: ok %v", n, ok)
		}
		if n < etherLen+28+tcpFlagsEnd && f.kind != frameOther {
			t.Errorf("%d bytes: taken for %+v", n, f)
		}
	}
}

// Frames that another decoder understands must be decoded equally.
func FuzzParseFrame(f *testing.F) {
	f.Add(rstFrame(f, 0))
	f.Add(rstFrame(f, 8))
	f.Add(arpFrame(f, layers.ARPRequest, vipAddr))
	f.Add(rstFrame6(f))
	f.Add(advertisement(f, allNodes, 0xa0))
	f.Add(solicitation(f))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := parseFrame(b)
		if !ok || got.kind == frameOther {
			return
		}
		p := gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
		p.Layers()
		if p.ErrorLayer() != nil {
			return
		}
		switch got.kind {
		case frameTCP:
			if tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP); ok &&
				(tcp.Seq != got.seq || tcp.RST != got.rst() || uint16(tcp.SrcPort) != got.tuple.SrcPort) {
				t.Fatalf("got %+v, gopacket %+v", got, tcp)
			}
		case frameNeighbours:
			if asks, ok := p.Layer(layers.LayerTypeICMPv6NeighborSolicitation).(*layers.ICMPv6NeighborSolicitation); ok {
				if string(asks.TargetAddress) != string(got.targetIP[:]) {
					t.Fatalf("got %+v, gopacket %+v", got, asks)
				}
				return
			}
			if tells, ok := p.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement); ok {
				if string(tells.TargetAddress) != string(got.senderIP[:]) || tells.Solicited() && got.targetIP != flow.Addr(b[38:]) {
					t.Fatalf("got %+v, gopacket %+v", got, tells)
				}
				return
			}
			arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP)
			if !ok || string(arp.SourceProtAddress) != string(got.senderIP.Bytes()) || string(arp.DstProtAddress) != string(got.targetIP.Bytes()) {
				t.Fatalf("got %+v, gopacket %+v", got, arp)
			}
		}
	})
}

func BenchmarkParseFrame(b *testing.B) {
	whole := rstFrame(b, 0)
	b.ReportAllocs()
	for b.Loop() {
		if f, _ := parseFrame(whole); f.kind != frameTCP {
			b.Fatal(f)
		}
	}
}
