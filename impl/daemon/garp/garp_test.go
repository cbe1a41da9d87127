package garp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/daemon/internal/netlab"
	"baton/impl/dataplane"
)

var (
	mac = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	vip = netip.MustParseAddr("198.18.0.100")
)

// decode decodes a frame with an independent decoder.
func decode(t *testing.T, frame []byte) (*layers.Ethernet, *layers.ARP) {
	t.Helper()
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	eth, _ := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	arp, _ := p.Layer(layers.LayerTypeARP).(*layers.ARP)
	if eth == nil || arp == nil {
		t.Fatalf("no Ethernet and ARP in %x: %v", frame, p.ErrorLayer())
	}
	return eth, arp
}

func TestFrameIsAnARPAnnouncement(t *testing.T) {
	frame := Frame(mac, vip)
	eth, arp := decode(t, frame)
	for _, tt := range []struct {
		rule      string
		got, want any
	}{
		{"broadcast (RFC 5227 2.1.1)", eth.DstMAC.String(), "ff:ff:ff:ff:ff:ff"},
		{"switches learn from the source", eth.SrcMAC.String(), mac.String()},
		{"a request (RFC 5227 3)", arp.Operation, uint16(layers.ARPRequest)},
		{"sender MAC", net.HardwareAddr(arp.SourceHwAddress).String(), mac.String()},
		{"sender is the address", net.IP(arp.SourceProtAddress).String(), "198.18.0.100"},
		{"target is the address", net.IP(arp.DstProtAddress).String(), "198.18.0.100"},
		{"target MAC is zero", net.HardwareAddr(arp.DstHwAddress).String(), "00:00:00:00:00:00"},
		{"no runt", len(frame), 60},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.rule, tt.got, tt.want)
		}
	}
}

// RFC 4861 7.2.6: an unsolicited advertisement to all nodes overrides their entries.
func TestFrameOfIPv6IsAnUnsolicitedAdvertisement(t *testing.T) {
	vip6 := netip.MustParseAddr("2001:2::64")
	p := gopacket.NewPacket(Frame(mac, vip6), layers.LayerTypeEthernet, gopacket.Default)
	eth, _ := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	ip, _ := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	icmp, _ := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
	na, _ := p.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement)
	if eth == nil || ip == nil || icmp == nil || na == nil || len(na.Options) != 1 {
		t.Fatalf("no neighbour advertisement with an option: %v", p)
	}
	sum := icmp.Checksum
	icmp.SetNetworkLayerForChecksum(ip)
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{ComputeChecksums: true}, icmp, gopacket.Payload(icmp.LayerPayload())); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		rule      string
		got, want any
	}{
		{"to all nodes", ip.DstIP.String(), "ff02::1"},
		{"and their Ethernet group", eth.DstMAC.String(), "33:33:00:00:00:01"},
		{"switches learn from the source", eth.SrcMAC.String(), mac.String()},
		{"from the address", ip.SrcIP.String(), vip6.String()},
		{"hop limit 255 (7.1.2)", ip.HopLimit, uint8(255)},
		{"about the address", na.TargetAddress.String(), vip6.String()},
		{"Router and Override, not Solicited", na.Flags, uint8(0xa0)},
		{"target link-layer address", na.Options[0].Type, layers.ICMPv6OptTargetAddress},
		{"which is the link's", net.HardwareAddr(na.Options[0].Data).String(), mac.String()},
		{"checksum", sum, icmp.Checksum},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.rule, tt.got, tt.want)
		}
	}
}

// TestSend pins that all VIPs are announced on their links, that a host's stale neighbour
// entry is replaced at once, and that a link that is down affects only itself.
func TestSend(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces and packet sockets")
	}
	in := func(n ns.NetNS, f func() error) {
		t.Helper()
		if err := n.Do(func(ns.NetNS) error { return f() }); err != nil {
			t.Fatal(err)
		}
	}
	node, host := netlab.Space(t), netlab.Space(t)
	in(node, func() error { return veth("client0", "eth0", host) })
	in(node, func() error { return veth("backend0", "eth1", host) })
	in(node, func() error { return errors.Join(netlab.WaitUp("client0"), netlab.WaitUp("backend0")) })

	var captures [2]*packet.Conn
	in(host, func() error {
		for i, name := range []string{"eth0", "eth1"} {
			iface, err := net.InterfaceByName(name)
			if err != nil {
				return err
			}
			if captures[i], err = packet.Listen(iface, packet.Raw, unix.ETH_P_ARP, nil); err != nil {
				return err
			}
		}
		return staleNeighbour("eth0", vip)
	})

	var sender *Sender
	in(node, func() (err error) {
		sender, err = Open([]dataplane.VIP{
			{Addr: vip, Link: "client0"},
			{Addr: netip.MustParseAddr("198.18.0.101"), Link: "client0"},
			{Addr: netip.MustParseAddr("198.18.1.100"), Link: "backend0"},
		})
		return err
	})
	defer sender.Close()
	if err := sender.SendAll(); err != nil {
		t.Fatal(err)
	}
	want := [2][]string{{"198.18.0.100", "198.18.0.101"}, {"198.18.1.100"}}
	for i, c := range captures {
		if got := announced(t, c, len(want[i])); !slices.Equal(got, want[i]) {
			t.Errorf("link %d: announced %v, want %v", i, got, want[i])
		}
	}
	in(host, func() error {
		waitNeighbour(t, "eth0", vip, macOf(t, node, "client0"))
		return nil
	})

	in(node, func() error {
		l, err := netlink.LinkByName("client0")
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(l)
	})
	if err := sender.SendAll(); err == nil {
		t.Error("Send on a link that is down reported nothing")
	}
	if got := announced(t, captures[1], 1); !slices.Equal(got, want[1]) {
		t.Errorf("backend link: announced %v while the client link is down, want %v", got, want[1])
	}
}

// TestAnnouncementsFollowTheLink: they have the link's current hardware address, and a
// single VIP can be announced.
func TestAnnouncementsFollowTheLink(t *testing.T) {
	node, host := netlab.Space(t), netlab.Space(t)
	netlab.In(t, node, func() error { return veth("client0", "eth0", host) })
	netlab.In(t, node, func() error { return netlab.WaitUp("client0") })
	var capture *packet.Conn
	netlab.In(t, host, func() error {
		iface, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		capture, err = packet.Listen(iface, packet.Raw, unix.ETH_P_ARP, nil)
		return err
	})
	defer capture.Close()
	other := netip.MustParseAddr("198.18.0.101")
	vips := []dataplane.VIP{{Addr: vip, Link: "client0"}, {Addr: other, Link: "client0"}}
	var sender *Sender
	netlab.In(t, node, func() (err error) { sender, err = Open(vips); return err })
	defer sender.Close()
	for _, c := range []struct {
		link    string
		mac     net.HardwareAddr
		changed bool
	}{{"client0", mac, true}, {"client0", mac, false}, {"backend0", net.HardwareAddr{2, 0, 0, 0, 0, 9}, false}} {
		if got := sender.SetMAC(c.link, c.mac); got != c.changed {
			t.Errorf("%v on %s: changed %v, want %v", c.mac, c.link, got, c.changed)
		}
	}
	if err := sender.SendAll(); err != nil {
		t.Fatal(err)
	}
	if err := sender.SendOne(vips[1]); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sender.Send(1, 1), sender.Send(1, 2)); err != nil { // wraps around from the last to the first
		t.Fatal(err)
	}
	for _, want := range []netip.Addr{vip, other, other, other, other, vip} {
		eth, arp := next(t, capture)
		if got := net.IP(arp.SourceProtAddress).String(); got != want.String() {
			t.Errorf("announced %v, want %v", got, want)
		}
		for what, got := range map[string]net.HardwareAddr{"source": eth.SrcMAC, "sender": arp.SourceHwAddress} {
			if got.String() != mac.String() {
				t.Errorf("the %s of %v is %v, want that of the link now, %v", what, want, got, mac)
			}
		}
	}
	third := dataplane.VIP{Addr: netip.MustParseAddr("198.18.0.102"), Link: "client0"}
	netlab.In(t, node, func() error { return sender.SetVIPs([]dataplane.VIP{vips[1], third}) })
	if err := errors.Join(sender.SendAll(), sender.SendOne(third)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []netip.Addr{other, third.Addr, third.Addr} {
		eth, arp := next(t, capture)
		if got := net.IP(arp.SourceProtAddress).String(); got != want.String() || eth.SrcMAC.String() != mac.String() {
			t.Errorf("after a change announced %v from %v, want %v from %v", got, eth.SrcMAC, want, mac)
		}
	}
	if err := sender.SendOne(vips[0]); err == nil {
		t.Error("a VIP was announced that is gone")
	}
	if err := sender.SendOne(dataplane.VIP{Addr: vip, Link: "backend0"}); err == nil {
		t.Error("a VIP was announced on a link that is not its own")
	}
}

// next reads one ARP frame.
func next(t *testing.T, c *packet.Conn) (*layers.Ethernet, *layers.ARP) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 128)
	read, _, err := c.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, buf[:read])
}

func veth(name, peer string, host ns.NetNS) error {
	if err := netlab.Cable(name, peer, host); err != nil {
		return err
	}
	if err := netlab.Up(name); err != nil {
		return err
	}
	return host.Do(func(ns.NetNS) error { return netlab.Up(peer) })
}

// staleNeighbour gives a host an entry of the other node, learnt just now.
func staleNeighbour(name string, ip netip.Addr) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr("198.18.0.11/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(l, addr); err != nil {
		return err
	}
	return netlink.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, IP: ip.AsSlice(), State: netlink.NUD_REACHABLE,
		HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 99}})
}

func waitNeighbour(t *testing.T, name string, ip netip.Addr, want net.HardwareAddr) {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	var last string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		list, err := netlink.NeighList(l.Attrs().Index, netlink.FAMILY_V4)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			if n.IP.Equal(ip.AsSlice()) {
				last = n.HardwareAddr.String()
			}
		}
		if last == want.String() {
			return
		}
	}
	t.Errorf("the host's entry for %v is %s, want %v: a GARP overrides what was learnt a moment ago", ip, last, want)
}

func macOf(t *testing.T, n ns.NetNS, name string) (mac net.HardwareAddr) {
	t.Helper()
	err := n.Do(func(ns.NetNS) error {
		iface, err := net.InterfaceByName(name)
		if err == nil {
			mac = iface.HardwareAddr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

// announced reads n ARP frames.
func announced(t *testing.T, c *packet.Conn, n int) []string {
	t.Helper()
	var got []string
	for len(got) < n {
		_, arp := next(t, c)
		got = append(got, net.IP(arp.SourceProtAddress).String())
	}
	return got
}
