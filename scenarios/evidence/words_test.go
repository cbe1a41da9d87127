package evidence

import (
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"baton/impl/sctp"
)

var (
	ether = layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0xba, 0x70, 0, 1, 1}, DstMAC: net.HardwareAddr{2, 0xba, 0x70, 0, 2, 1}, EthernetType: layers.EthernetTypeIPv4}
	ip    = layers.IPv4{Version: 4, IHL: 5, TTL: 64, SrcIP: net.IP{198, 18, 0, 100}, DstIP: net.IP{198, 18, 0, 11}}
)

// frame serializes layers.
func frame(t *testing.T, all ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, all...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func over(proto layers.IPProtocol) *layers.IPv4 { h := ip; h.Protocol = proto; return &h }

func TestFramesAreDescribed(t *testing.T) {
	arp := func(operation uint16, target net.IP) []byte {
		e := ether
		e.EthernetType = layers.EthernetTypeARP
		return frame(t, &e, &layers.ARP{AddrType: 1, Protocol: 0x800, HwAddressSize: 6, ProtAddressSize: 4, Operation: operation,
			SourceHwAddress: ether.SrcMAC, SourceProtAddress: net.IP{198, 18, 0, 100}, DstHwAddress: make([]byte, 6), DstProtAddress: target})
	}
	vip6 := net.ParseIP("2001:2::100")
	six := func(proto layers.IPProtocol, inner ...gopacket.SerializableLayer) []byte {
		e := ether
		e.EthernetType = layers.EthernetTypeIPv6
		return frame(t, append([]gopacket.SerializableLayer{&e, &layers.IPv6{Version: 6, NextHeader: proto, HopLimit: 255, SrcIP: vip6, DstIP: net.ParseIP("2001:2::11")}}, inner...)...)
	}
	ndp := func(kind uint8, message gopacket.SerializableLayer) []byte {
		return six(layers.IPProtocolICMPv6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(kind, 0)}, message)
	}
	segment := &layers.TCP{SrcPort: 80, DstPort: 46794, Seq: 17, Ack: 4, RST: true, ACK: true}
	abort := gopacket.Payload(sctp.Packet{SrcPort: 5000, DstPort: 46794, Tag: 7, Chunk: sctp.Abort}.Marshal())
	long := frame(t, &ether, over(layers.IPProtocolTCP), &layers.TCP{SrcPort: 80, DstPort: 46794, PSH: true}, gopacket.Payload(make([]byte, 900)))
	for want, data := range map[string][]byte{
		"tcp 198.18.0.100:80>198.18.0.11:46794 RST,ACK seq 17 ack 4 len 0":   frame(t, &ether, over(layers.IPProtocolTCP), segment),
		"tcp 198.18.0.100:80>198.18.0.11:46794 PSH seq 0 ack 0 len 900":      long[:256],
		"udp 198.18.0.100:53>198.18.0.11:9999 len 5":                         frame(t, &ether, over(layers.IPProtocolUDP), &layers.UDP{SrcPort: 53, DstPort: 9999}, gopacket.Payload("hello")),
		"sctp 198.18.0.100:5000>198.18.0.11:46794 ABORT tag 0x7 len 0":       frame(t, &ether, over(layers.IPProtocolSCTP), abort),
		"sctp [2001:2::100]:5000>[2001:2::11]:46794 ABORT tag 0x7 len 0":     six(layers.IPProtocolSCTP, abort),
		"sctp 198.18.0.100>198.18.0.11":                                      frame(t, &ether, over(layers.IPProtocolSCTP), gopacket.Payload(make([]byte, 5))),
		"arp announces 198.18.0.100 at 02:ba:70:00:01:01":                    arp(layers.ARPRequest, net.IP{198, 18, 0, 100}),
		"arp asks for 198.18.0.11, for 198.18.0.100":                         arp(layers.ARPRequest, net.IP{198, 18, 0, 11}),
		"arp tells 198.18.0.11 that 198.18.0.100 is at 02:ba:70:00:01:01":    arp(layers.ARPReply, net.IP{198, 18, 0, 11}),
		"icmpv4 198.18.0.100>198.18.0.11":                                    frame(t, &ether, over(layers.IPProtocolICMPv4), gopacket.Payload(make([]byte, 8))),
		"tcp [2001:2::100]:80>[2001:2::11]:46794 RST,ACK seq 17 ack 4 len 0": six(layers.IPProtocolTCP, segment),
		"udp [2001:2::100]:53>[2001:2::11]:9999 len 5":                       six(layers.IPProtocolUDP, &layers.UDP{SrcPort: 53, DstPort: 9999}, gopacket.Payload("hello")),
		"ndp announces 2001:2::100 at 02:ba:70:00:01:01":                     ndp(layers.ICMPv6TypeNeighborAdvertisement, &layers.ICMPv6NeighborAdvertisement{Flags: 0x20, TargetAddress: vip6}),
		"ndp tells 2001:2::11 that 2001:2::100 is at 02:ba:70:00:01:01":      ndp(layers.ICMPv6TypeNeighborAdvertisement, &layers.ICMPv6NeighborAdvertisement{Flags: 0x60, TargetAddress: vip6}),
		"ndp asks for 2001:2::12, for 2001:2::100":                           ndp(layers.ICMPv6TypeNeighborSolicitation, &layers.ICMPv6NeighborSolicitation{TargetAddress: net.ParseIP("2001:2::12")}),
		"icmpv6 2001:2::100>2001:2::11":                                      six(layers.IPProtocolICMPv6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeDestinationUnreachable, 0)}),
		"3 bytes":                                                            {1, 2, 3},
	} {
		r := newReader()
		r.describe(frame(t, &ether, over(layers.IPProtocolTCP), segment)) // nothing of the frame before may show
		if got := r.describe(data); got != want {
			t.Errorf("described as %q, want %q", got, want)
		}
	}
}
