package traffic

import (
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/bpf"

	"baton/impl/flow"
	"baton/netns/internal/ip"
	"baton/scenarios/lab"
)

var guestTarget = flow.AddrFrom(netip.MustParseAddr("2001:2::100"))

// TestDatagramsOfIPv6HaveAChecksum: it equals the one that gopacket computes.
func TestDatagramsOfIPv6HaveAChecksum(t *testing.T) {
	for n := range 3000 {
		guest := lab.IPv6.Guests()[n%50]
		packet := append(ip.Header(flow.AddrFrom(guest), guestTarget, 17, 64, udpLen+requestLen), make([]byte, udpLen+requestLen)...)
		udp := packet[ip.Len6:]
		udp[0], udp[1], udp[3], udp[5], udp[udpLen], udp[udpLen+1] = byte(n>>8), byte(n), 53, udpLen+requestLen, byte(n*7), byte(n>>3)
		writeSum6(packet)
		wrote := [2]byte(udp[6:])
		parsed := gopacket.NewPacket(packet, layers.LayerTypeIPv6, gopacket.Default)
		network, transport := parsed.Layer(layers.LayerTypeIPv6).(*layers.IPv6), parsed.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if err := transport.SetNetworkLayerForChecksum(network); err != nil {
			t.Fatal(err)
		}
		b := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{ComputeChecksums: true}, transport, gopacket.Payload(transport.Payload)); err != nil {
			t.Fatal(err)
		}
		if want := [2]byte(b.Bytes()[6:]); wrote != want || wrote == [2]byte{} {
			t.Fatalf("datagram %d: checksum %x, want %x", n, wrote, want)
		}
	}
}

// TestGuestsTakeTheirOwnFrames: the filters accept frames to the guests and no others.
func TestGuestsTakeTheirOwnFrames(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	frame := func(ether layers.EthernetType, inner ...gopacket.SerializableLayer) []byte {
		b := gopacket.NewSerializeBuffer()
		e := &layers.Ethernet{SrcMAC: mac, DstMAC: mac, EthernetType: ether}
		if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, append([]gopacket.SerializableLayer{e}, inner...)...); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	addr := func(f lab.Family, n int) []byte { // counted from the first guest
		if n >= 0 && n < len(f.Guests()) {
			return f.Guests()[n].AsSlice()
		}
		return f.Stranger(0).AsSlice()
	}
	datagram := func(f lab.Family, n int) []byte {
		udp := &layers.UDP{SrcPort: 53, DstPort: firstGuestPort}
		if f == lab.IPv4 {
			return frame(layers.EthernetTypeIPv4, &layers.IPv4{Version: 4, Protocol: 17, SrcIP: addr(f, -1), DstIP: addr(f, n)}, udp)
		}
		return frame(layers.EthernetTypeIPv6, &layers.IPv6{Version: 6, NextHeader: 17, SrcIP: addr(f, -1), DstIP: addr(f, n)}, udp)
	}
	question := func(f lab.Family, n int) []byte {
		if f == lab.IPv4 {
			return frame(layers.EthernetTypeARP, &layers.ARP{AddrType: 1, Protocol: 0x800, HwAddressSize: 6, ProtAddressSize: 4, Operation: 1,
				SourceHwAddress: mac, SourceProtAddress: addr(f, -1), DstHwAddress: make([]byte, 6), DstProtAddress: addr(f, n)})
		}
		group := net.ParseIP("ff02::1:ff00:150")
		return frame(layers.EthernetTypeIPv6, &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolICMPv6, HopLimit: 255, SrcIP: addr(f, -1), DstIP: group},
			&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborSolicitation, 0)},
			&layers.ICMPv6NeighborSolicitation{TargetAddress: addr(f, n)})
	}
	for f, family := range guestFamilies {
		own := lab.Family(f)
		all := own.Guests()
		vm, err := bpf.NewVM(family.filter(all[0], all[len(all)-1]))
		if err != nil {
			t.Fatal(err)
		}
		for _, of := range []lab.Family{lab.IPv4, lab.IPv6} {
			for n, guest := range map[int]bool{0: true, 17: true, 49: true, 50: false} {
				for what, b := range map[string][]byte{"datagram": datagram(of, n), "question": question(of, n)} {
					taken, err := vm.Run(b)
					if want := guest && of == own; err != nil || (taken > 0) != want {
						t.Errorf("%s: a %s of %s for %d: taken %v, want %v, %v", own, what, of, n, taken > 0, want, err)
					}
					if what == "question" && of == own && guest {
						g := &guests{addrs: all, mac: mac}
						if !family.isQuestion(b) || len(family.answer(g, b)) == 0 {
							t.Errorf("%s: no answer for %d", own, n)
						}
					}
				}
			}
		}
	}
}
