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

// unpacked returns the packet inside an outer header; nil if a frame has none. The outer header is
// checked for what each has.
func unpacked(t rapid.TB, frame []byte) []byte {
	t.Helper()
	at := partsOf(frame)
	proto := layers.IPProtocol(at.proto)
	if proto != layers.IPProtocolIPv4 && proto != layers.IPProtocolIPv6 || at.l4+20 > len(frame) {
		return nil
	}
	outer, inner := frame[14:at.l4], frame[at.l4:]
	if isIPv6(frame) {
		if total := 40 + int(binary.BigEndian.Uint16(inner[4:])); int(binary.BigEndian.Uint16(outer[4:])) != total {
			t.Errorf("the outer payload has not the length of the packet, %d: %x", total, outer)
		}
	} else {
		total := int(binary.BigEndian.Uint16(inner[2:]))
		if int(binary.BigEndian.Uint16(outer[2:])) != len(outer)+total || sum(outer) != 0xffff {
			t.Errorf("the outer header sums to %#04x, or has not the length of the packet, %d: %x", sum(outer), total, outer)
		}
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

// outerFrom is a packet of a flow in an outer header.
func outerFrom(src flow.Addr, o flow.Tuple) []byte {
	inside := layers.IPProtocolIPv4
	if inIPv6 {
		inside = layers.IPProtocolIPv6
	}
	eth, ip := headers(peerMAC, src, address(backendAddr), inside)
	return serialize(eth, ip, gopacket.Payload(fromClient(o, ack)[14:]))
}

// tunnelErrors sends an error about a packet that this node may have encapsulated.
func (p *pair) tunnelErrors(t *rapid.T) {
	about := outerFrom(address(rapid.SampledFrom([]string{"198.18.1.1", "198.18.1.1", "198.18.1.2", snatAddr}).Draw(t, "source")), originals.Draw(t, "original"))
	kind := rapid.SampledFrom([]uint8{1, 2, 3, 4, 11, 12}).Draw(t, "type")
	link, mac := "backend0", backendMAC
	if rapid.IntRange(0, 4).Draw(t, "of the client") == 0 {
		link, mac = "client0", clientMAC
	}
	p.send(link, damage(t, errorFrame(mac, address(routerAddr), kind, 0, about, quoted)))
}

// tunnelTests: what an outer header changes.
func tunnelTests() []packetTest {
	o := toVIP(flow.TCP, 40000, tunnelPort)
	r := flow.DirectReply(o, address(backendAddr))
	opened := line(o, r, flow.SynSent, flow.Opened, lifetimes.SynSent)
	established := line(o, r, flow.Established, flow.Opened, lifetimes.Established)
	room, kind, code := 1480, uint8(unreachable), uint8(fragNeeded)
	if inIPv6 {
		room, kind, code = 1460, 2, 0
	}
	sized := func(total int) []byte {
		return withNumbers(frameTo(clientMAC, o, ack, strings.Repeat("x", total-len(fromClient(o, ack))+14+len(payload))), clientISN+1, 0)
	}
	leaves := func(what string) string { return tunnelPorts.leaves(what, address(backendAddr)) }
	refused := fmt.Sprintf("refuse too-big: icmp %d/%d %s>%s about %s mtu %d", kind, code, address(vipAddr), address(clientAddr), o, room)
	first := fragments(frameTo(clientMAC, toVIP(flow.UDP, 40000, tunnelPort), 0, long), 7, 24, 48)
	udp := toVIP(flow.UDP, 40000, tunnelPort)
	udpReply := flow.DirectReply(udp, address(backendAddr))
	piece := leaves(fmt.Sprintf("forward fragment %s>%s id 7", address(clientAddr), address(vipAddr)))
	return []packetTest{{
		rule:   "tunnel: the outer header counts for the MTU, and the sender is told what is left",
		steps:  []step{in(o, syn, leaves(forwarded(o))), {link: "client0", frame: sized(room), want: leaves(forwarded(o))}, {link: "client0", frame: sized(room + 1), want: refused}, {link: "client0", frame: sized(1501), want: refused}},
		table:  []string{established},
		events: []string{opened, established},
	}, {
		rule:  "tunnel: a packet that is too big inside opens no flow",
		steps: []step{{link: "client0", frame: frameTo(clientMAC, o, syn, strings.Repeat("x", 1450)), want: refused}},
	}, {
		rule: "tunnel: an error about an outer packet goes to nobody",
		steps: []step{{link: "backend0", frame: errorFrame(backendMAC, address(routerAddr), kind, code, outerFrom(address("198.18.1.1"), o), 28), want: "drop tunnel"},
			{link: "backend0", frame: errorFrame(backendMAC, address(routerAddr), kind, code, outerFrom(address("198.18.1.2"), o), 28), want: "pass"}},
	}, {
		rule:  "tunnel: the fragments of a datagram go to the same backend, each in an outer header of its own",
		steps: []step{{link: "client0", frame: first[0], want: leaves(forwarded(udp))}, {link: "client0", frame: first[2], want: piece}, {link: "client0", frame: first[1], want: piece}},
		table: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, lifetimes.Unreplied)}, events: []string{line(udp, udpReply, flow.Unreplied, flow.Opened, lifetimes.Unreplied)},
	}}
}

// What the outer header copies of the packet: the DSCP and ECN, DF, the flow label. Its TTL is a
// host's own, and a packet that may be fragmented gets an id of its own.
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
}

// unpack lets the backend take packets out of their outer headers, and no other packets to the VIP.
func (l *lab) unpack(t *testing.T, backend string) {
	t.Helper()
	inside(t, l.backend, func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		attached, err := decap.Attach(eth0.Index, []netip.Addr{address(backend).Netip()}, []netip.Addr{address(vipAddr).Netip()})
		if err == nil {
			t.Cleanup(func() { attached.Close() })
		}
		return err
	})
}

// routeBackend puts a router before the backend, which takes the backend's address on the load
// balancer's link.
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
	if inIPv6 {
		addIPv6(t, l.router, "eth0", backendAddr)
		addIPv6(t, l.router, "eth1", routed)
		addIPv6(t, l.backend, "eth0", backend)
	}
	inside(t, l.lb, func() error {
		return netlink.RouteAdd(&netlink.Route{Dst: hostNet(address(backend).Netip()), Gw: address(backendAddr).Netip().AsSlice()})
	})
}

// A backend behind a router serves a client. If a link behind that router takes smaller packets than
// the load balancer's, the router's errors are counted.
func TestTunnelThroughARouter(t *testing.T) {
	eachWay(t, func(t *testing.T) {
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
