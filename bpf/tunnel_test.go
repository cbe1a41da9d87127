package bpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"pgregory.net/rapid"

	"baton/bpf/decap"
	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// unpacked returns the inner packet; nil if a frame has no outer header. It checks the common fields of
// the outer header.
func unpacked(t rapid.TB, frame []byte) []byte {
	t.Helper()
	at := partsOf(frame)
	proto := layers.IPProtocol(at.proto)
	if proto != layers.IPProtocolIPv4 && proto != layers.IPProtocolIPv6 || at.l4+20 > len(frame) {
		return nil
	}
	outer, inner := frame[14:at.l4], frame[at.l4:]
	total := int(binary.BigEndian.Uint16(inner[2:]))
	if proto == layers.IPProtocolIPv6 {
		total = 40 + int(binary.BigEndian.Uint16(inner[4:]))
	}
	if isIPv6(frame) {
		if int(binary.BigEndian.Uint16(outer[4:])) != total {
			t.Errorf("the outer payload has not the length of the packet, %d: %x", total, outer)
		}
	} else if int(binary.BigEndian.Uint16(outer[2:])) != len(outer)+total || sum(outer) != 0xffff {
		t.Errorf("the outer header sums to %#04x, or has not the length of the packet, %d: %x", sum(outer), total, outer)
	}
	eth := slices.Clone(frame[:14])
	binary.BigEndian.PutUint16(eth[12:], uint16(layers.EthernetTypeIPv4))
	if proto == layers.IPProtocolIPv6 {
		binary.BigEndian.PutUint16(eth[12:], uint16(layers.EthernetTypeIPv6))
	}
	return append(eth, inner...)
}

// marked gives a packet a DSCP, an ECN field, and a DF bit or a flow label.
func marked(t *rapid.T, frame []byte) []byte {
	if rapid.Bool().Draw(t, "plain") {
		return frame
	}
	class := rapid.Byte().Draw(t, "class")
	if isIPv6(frame) {
		label := rapid.Byte().Draw(t, "label")
		return withIP(frame, 0, 0x60|class>>4, class<<4|label&15, label, label)
	}
	frame = withIP(frame, 1, class)
	return withIP(frame, 6, rapid.SampledFrom([]byte{0, 0x40, 0x40}).Draw(t, "df"))
}

// outerFrom returns a packet of a flow inside an outer header.
func outerFrom(src flow.Addr, o flow.Tuple) []byte {
	inside := layers.IPProtocolIPv4
	if inIPv6 {
		inside = layers.IPProtocolIPv6
	}
	eth, ip := headers(peerMAC, src, tunnelPorts.backend(backendAddr), inside)
	return serialize(eth, ip, gopacket.Payload(fromClient(o, ack)[14:]))
}

// tunnelErrors sends an error about a packet that this node may have encapsulated.
func (p *pair) tunnelErrors(t *rapid.T) {
	about := outerFrom(tunnelAddress(rapid.SampledFrom([]string{"198.18.1.1", "198.18.1.1", "198.18.1.2", snatAddr}).Draw(t, "source")), originals.Draw(t, "original"))
	kind := rapid.SampledFrom([]uint8{1, 2, 3, 4, 11, 12}).Draw(t, "type")
	link, mac := "backend0", backendMAC
	if rapid.IntRange(0, 4).Draw(t, "of the client") == 0 {
		link, mac = "client0", clientMAC
	}
	p.send(link, damage(t, errorFrame(mac, tunnelAddress(routerAddr), kind, 0, about, quoted)))
}

// tooBig returns the type and code of the ICMP error about a packet that is too big.
func tooBig(a flow.Addr) (kind, code uint8) {
	if a.Is4() {
		return unreachable, fragNeeded
	}
	return 2, 0
}

func tunnelTests() []packetTest {
	o := toVIP(flow.TCP, 40000, tunnelPort)
	r := flow.DirectReply(o, tunnelAddress(backendAddr))
	opened := line(o, r, flow.SynSent, flow.Opened, lifetimes.SynSent)
	established := line(o, r, flow.Established, flow.Opened, lifetimes.Established)
	room := 1500 - dataplane.Outer(tunnelAddress(backendAddr))
	kind, code := tooBig(address(vipAddr))
	outerKind, outerCode := tooBig(tunnelAddress(backendAddr))
	sized := func(total int) []byte {
		return withNumbers(frameTo(clientMAC, o, ack, strings.Repeat("x", total-len(fromClient(o, ack))+14+len(payload))), clientISN+1, 0)
	}
	leaves := func(what string) string { return tunnelPorts.leaves(what, tunnelAddress(backendAddr)) }
	refused := fmt.Sprintf("refuse too-big: icmp %d/%d %s>%s about %s mtu %d", kind, code, address(vipAddr), address(clientAddr), o, room)
	first := fragments(frameTo(clientMAC, toVIP(flow.UDP, 40000, tunnelPort), 0, long), 7, 24, 48)
	udp := toVIP(flow.UDP, 40000, tunnelPort)
	udpReply := flow.DirectReply(udp, tunnelAddress(backendAddr))
	piece := leaves(fmt.Sprintf("forward fragment %s>%s id 7", address(clientAddr), address(vipAddr)))
	return []packetTest{{
		rule:   "tunnel: the outer header counts for the MTU, and the sender is told what is left",
		steps:  []step{in(o, syn, leaves(forwarded(o))), {link: "client0", frame: sized(room), want: leaves(forwarded(o))}, {link: "client0", frame: sized(room + 1), want: refused}, {link: "client0", frame: sized(1501), want: refused}},
		table:  []string{established},
		events: []string{opened, established},
	}, {
		rule:  "tunnel: a packet that is too big inside opens no flow",
		steps: []step{{link: "client0", frame: frameTo(clientMAC, o, syn, strings.Repeat("x", room-30)), want: refused}},
	}, {
		rule: "tunnel: an error about an outer packet goes to nobody",
		steps: []step{{link: "backend0", frame: errorFrame(backendMAC, tunnelAddress(routerAddr), outerKind, outerCode, outerFrom(tunnelAddress("198.18.1.1"), o), 28), want: "drop tunnel"},
			{link: "backend0", frame: errorFrame(backendMAC, tunnelAddress(routerAddr), outerKind, outerCode, outerFrom(tunnelAddress("198.18.1.2"), o), 28), want: "pass"}},
	}, {
		rule:  "tunnel: the fragments of a datagram go to the same backend, each in an outer header of its own",
		steps: []step{{link: "client0", frame: first[0], want: leaves(forwarded(udp))}, {link: "client0", frame: first[2], want: piece}, {link: "client0", frame: first[1], want: piece}},
		table: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, lifetimes.Unreplied)}, events: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, lifetimes.Unreplied)},
	}, {
		rule: "tunnel: the rest of a datagram still follows when no service encapsulates any more; an error about it is then the host's",
		steps: []step{{link: "client0", frame: first[0], want: leaves(forwarded(udp))},
			do(func(d dataplane.Dataplane) error { return d.SetServices(testConfig().Services[:1], testConfig().VIPs) }),
			{link: "client0", frame: first[1], want: piece},
			{link: "backend0", frame: errorFrame(backendMAC, tunnelAddress(routerAddr), outerKind, outerCode, outerFrom(tunnelAddress("198.18.1.1"), o), 28), want: "pass"}},
		table: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, lifetimes.Unreplied)}, events: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, lifetimes.Unreplied)},
	}}
}

// The rules of mode dsr-ipip with backends of the other family.
func TestTunnelsAcrossFamilies(t *testing.T) {
	acrossFamilies(t)
	rules := func(t *testing.T) {
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			for _, tests := range [][]packetTest{directTests(tunnelPorts), tunnelTests()} {
				for _, tt := range tests {
					t.Run(tt.rule, func(t *testing.T) { tt.run(t, s, map[string]bool{}) })
				}
			}
		})
	}
	t.Run("IPv4 in IPv6", rules)
	t.Run("IPv6 in IPv4", func(t *testing.T) {
		overIPv6(t)
		rules(t)
	})
}

// The outer header copies DSCP and ECN, DF, and the flow label. Its TTL is that of a sending host, and
// it has an id if the packet may be fragmented.
func TestOuterHeader(t *testing.T) {
	header := func(t *testing.T, s subject, frame []byte) []byte {
		verdict, out := s.packet("client0", frame)
		if verdict != model.Forward || unpacked(t, out) == nil {
			t.Fatalf("%s, not encapsulated: %x", verdict, out)
		}
		return out[14:partsOf(out).l4]
	}
	syn := func(sport uint16) []byte { return fromClient(toVIP(flow.TCP, sport, tunnelPort), syn) }
	t.Run("IPv4", func(t *testing.T) {
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			whole := header(t, s, withIP(withIP(syn(40000), 1, 0xb9), 6, 0x40)) // EF, ECT(1), DF
			if whole[1] != 0xb9 || whole[6] != 0x40 || whole[7] != 0 || whole[4] != 0 || whole[5] != 0 || whole[8] != 64 || whole[9] != 4 {
				t.Errorf("outer header %x, want the packet's DSCP, ECN and DF, no id and a TTL of 64", whole)
			}
			a, b := header(t, s, withIP(syn(40001), 6, 0)), header(t, s, withIP(syn(40001), 6, 0))
			if a[6] != 0 || slices.Equal(a[4:6], b[4:6]) {
				t.Errorf("outer headers %x and %x, want no DF and different ids", a, b)
			}
		})
	})
	t.Run("IPv6", func(t *testing.T) {
		overIPv6(t)
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			h := header(t, s, withIP(syn(40000), 0, 0x6b, 0x91, 0x23, 0x45))
			if !slices.Equal(h[:4], []byte{0x6b, 0x91, 0x23, 0x45}) || h[6] != 41 || h[7] != 64 {
				t.Errorf("outer header %x, want the packet's traffic class and flow label, and a hop limit of 64", h)
			}
		})
	})
	t.Run("IPv6 in IPv4", func(t *testing.T) {
		overIPv6(t)
		acrossFamilies(t)
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			h := header(t, s, withIP(syn(40000), 0, 0x6b, 0x91, 0x23, 0x45))
			if len(h) != 20 || h[1] != 0xb9 || h[6] != 0x40 || h[7] != 0 || h[4] != 0 || h[5] != 0 || h[8] != 64 || h[9] != 41 {
				t.Errorf("outer header %x, want the packet's traffic class, DF, no id, protocol 41 and a TTL of 64", h)
			}
		})
	})
	t.Run("IPv4 in IPv6", func(t *testing.T) {
		acrossFamilies(t)
		eachSubject(t, testConfig(), func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			h := header(t, s, withIP(syn(40000), 1, 0xb9))
			if len(h) != 40 || h[0] != 0x6b || h[1]>>4 != 9 || h[6] != 4 || h[7] != 64 {
				t.Errorf("outer header %x, want the packet's DSCP and ECN, protocol 4 and a hop limit of 64", h)
			}
			label := func(frame []byte) [3]byte { h := header(t, s, frame); return [3]byte{h[1] & 15, h[2], h[3]} }
			client, other := label(syn(40000)), label(fromClient(tuple(flow.TCP, otherClient, 40000, vipAddr, tunnelPort), 0x02))
			if client == other || client == ([3]byte{}) || other == ([3]byte{}) {
				t.Errorf("flow labels %x and %x of two clients", client, other)
			}
		})
	})
}

// unpack makes the backend decapsulate packets, and drop packets to the VIP without an outer header.
func (l *lab) unpack(t *testing.T, backend string) {
	t.Helper()
	inside(t, l.backend, func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		attached, err := decap.Attach(eth0.Index, []netip.Addr{tunnelAddress(backend).Netip()}, []netip.Addr{address(vipAddr).Netip()})
		if err == nil {
			t.Cleanup(func() { attached.Close() })
		}
		return err
	})
}

// routeBackend puts a router between the load balancer and the backend. The router takes over the
// backend's former address on the load balancer's link.
func (l *lab) routeBackend(t *testing.T, backend string) {
	t.Helper()
	const routed = "198.18.9.1"
	l.router = newNamespace(t)
	inside(t, l.backend, func() error {
		old, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkSetNsFd(old, int(l.router.Fd()))
	})
	inside(t, l.router, func() error {
		for _, forwarding := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
			if err := os.WriteFile("/proc/sys/net/"+forwarding, []byte("1"), 0); err != nil {
				return err
			}
		}
		return raise("eth0", backendAddr+"/24")
	})
	wire(t, l.router, "eth1", routed+"/24", l.backend, "eth0", backend+"/24")
	if inIPv6 || inAcross {
		addIPv6(t, l.router, "eth0", backendAddr)
		addIPv6(t, l.router, "eth1", routed)
		addIPv6(t, l.backend, "eth0", backend)
	}
	inside(t, l.lb, func() error {
		return netlink.RouteAdd(&netlink.Route{Dst: hostNet(tunnelAddress(backend).Netip()), Gw: tunnelAddress(backendAddr).Netip().AsSlice()})
	})
}

// A backend behind a router serves a client. If a link behind the router has a smaller MTU than the load
// balancer's, the router's errors are counted.
func TestTunnelThroughARouter(t *testing.T) {
	eachTunnel(t, func(t *testing.T) {
		l := newDirectLab(t, dataplane.DSRIPIP, "198.18.9.11")
		if inHook == dataplane.HookXDP {
			l.wholeChecksums(t)
		}
		go echo(l.listen(t, directPort))
		conn := l.dial(t, "tcp", directPort)
		go upload(conn)
		if received, err := io.ReadAll(conn); err != nil || !bytes.Equal(received, tooWide) {
			t.Fatalf("received %d of %d bytes: %v", len(received), len(tooWide), err)
		}
		inside(t, l.router, func() error { return setMTU("eth1") })
		go upload(l.dial(t, "tcp", directPort))
		gomega.NewWithT(t).Eventually(func() uint64 { return counters(t, l.dp).Dropped[dataplane.DropTunnel] }).
			WithTimeout(ioTimeout).WithPolling(10 * time.Millisecond).Should(gomega.BeNumerically(">", 0))
	})
}
