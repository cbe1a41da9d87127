package speaker

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/bfd"
	"baton/impl/daemon/bfdio"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
)

// echoSource is the source of one end's echo packets, by IP version: addresses of lo, so
// not of the cable's subnet.
var echoSource = map[bool]string{false: "198.18.77.1", true: "2001:2:0:77::1"}

// echoPairs are the addresses of both ends, by protocol.
var echoPairs = map[string][2]string{"IPv4": {"198.18.9.1", "198.18.9.2"}, "IPv6": {"2001:2:0:9::1", "2001:2:0:9::2"}}

// echoCable connects an end with addresses to send echo packets from to one that forwards,
// with the kernel's defaults: no reverse path filter, and redirects on.
func echoCable(t *testing.T) (a, b *end) {
	t.Helper()
	a, b = cable(t)
	lo := &end{t: t, space: a.space, link: "lo"}
	lo.up(echoSource[false]+"/32", echoSource[true]+"/128")
	b.forward(true)
	b.do(func() error {
		for v6, gateway := range map[bool]string{false: "198.18.9.1", true: "2001:2:0:9::1"} {
			source := netip.MustParseAddr(echoSource[v6]).AsSlice()
			to := &net.IPNet{IP: source, Mask: net.CIDRMask(8*len(source), 8*len(source))}
			if err := netlink.RouteAdd(&netlink.Route{Dst: to, Gw: net.ParseIP(gateway)}); err != nil {
				return fmt.Errorf("route to %v: %w", to, err)
			}
		}
		return nil
	})
	return a, b
}

// sysctl sets parameters of an end's namespace, by their files below /proc/sys/net.
func (e *end) sysctl(value string, files ...string) {
	e.t.Helper()
	e.do(func() error {
		for _, f := range files {
			if err := os.WriteFile(filepath.Join("/proc/sys/net", f), []byte(value), 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}

// forward switches the forwarding of an end.
func (e *end) forward(on bool) {
	e.t.Helper()
	e.sysctl(map[bool]string{true: "1", false: "0"}[on], "ipv4/ip_forward", "ipv6/conf/all/forwarding")
	e.sysctl("0", "ipv4/conf/all/rp_filter", "ipv4/conf/"+e.link+"/rp_filter")
	e.sysctl("1", "ipv4/conf/"+e.link+"/send_redirects")
}

// sedate gives a session's control packets an interval that a busy host can keep.
func sedate(s config.BFDSession) config.BFDSession {
	s.TX, s.RX = config.Duration(200*time.Millisecond), config.Duration(200*time.Millisecond)
	return s
}

// echoing makes a session send echo packets at 20 ms.
func echoing(s config.BFDSession) config.BFDSession {
	s = sedate(s)
	s.Echo.TX = config.Duration(20 * time.Millisecond)
	s.Echo.Source.Addr = netip.MustParseAddr(echoSource[s.Local.Is6()])
	return s
}

// returning makes a session announce that it returns echo packets, at most every 30 ms.
func returning(s config.BFDSession) config.BFDSession {
	s = sedate(s)
	s.Echo.RX = config.Duration(30 * time.Millisecond)
	return s
}

// unaffiliated makes a session unaffiliated.
func unaffiliated(s config.BFDSession) config.BFDSession {
	s.Mode = config.Unaffiliated
	s = echoing(s)
	s.TX, s.RX, s.Echo.TX = s.Echo.TX, 0, 0
	return s
}

// echoesCome is the condition that a session's echo packets come back.
func echoesCome(n uint64) func(control.BFDSession) bool {
	return func(x control.BFDSession) bool { return x.State == "Up" && x.Echo.Active && x.Echo.Received >= n }
}

// frames is a packet socket that receives all frames of an end's link.
type frames struct {
	t  *testing.T
	fd int
}

func (e *end) watch(t *testing.T) *frames {
	t.Helper()
	f := &frames{t: t}
	e.do(func() (err error) {
		link, err := net.InterfaceByName(e.link)
		if err != nil {
			return err
		}
		const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8
		if f.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		return unix.Bind(f.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index})
	})
	t.Cleanup(func() { unix.Close(f.fd) })
	return f
}

// take returns the frames since the last call.
func (f *frames) take() (seen []gopacket.Packet) {
	f.t.Helper()
	for {
		b := make([]byte, 2048)
		n, _, err := unix.Recvfrom(f.fd, b, 0)
		if err == unix.EAGAIN {
			return seen
		}
		if err != nil {
			f.t.Fatal(err)
		}
		seen = append(seen, gopacket.NewPacket(b[:n], layers.LayerTypeEthernet, gopacket.Default))
	}
}

// redirects counts the ICMP and Neighbor Discovery Redirects among frames.
func redirects(seen []gopacket.Packet) (n int) {
	for _, p := range seen {
		if icmp, ok := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4); ok && icmp.TypeCode.Type() == layers.ICMPv4TypeRedirect {
			n++
		}
		if icmp, ok := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6); ok && icmp.TypeCode.Type() == layers.ICMPv6TypeRedirect {
			n++
		}
	}
	return n
}

// echoFrame is an echo packet as the link carried it.
type echoFrame struct {
	mac      string // to which it was sent
	from, to string
	ttl      uint8
	port     uint16
}

// echoFrames returns the packets to or from the echo port.
func echoFrames(seen []gopacket.Packet) (out []echoFrame) {
	for _, p := range seen {
		udp, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if !ok || udp.DstPort == bfdio.Port {
			continue
		}
		f := echoFrame{mac: p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet).DstMAC.String(), port: uint16(udp.DstPort)}
		switch ip := p.NetworkLayer().(type) {
		case *layers.IPv4:
			f.from, f.to, f.ttl = ip.SrcIP.String(), ip.DstIP.String(), ip.TTL
		case *layers.IPv6:
			f.from, f.to, f.ttl = ip.SrcIP.String(), ip.DstIP.String(), ip.HopLimit
		}
		out = append(out, f)
	}
	return out
}

func (e *end) mac() (mac string) {
	e.t.Helper()
	e.do(func() error {
		link, err := net.InterfaceByName(e.link)
		if err == nil {
			mac = link.HardwareAddr.String()
		}
		return err
	})
	return mac
}

// enough is a number of echo packets after which a peer would have sent redirects.
const enough = 30

// TestEchoPacketsTravelAsRFC5881And9747Ask: to UDP port 3785, to an address of our own
// by the link to the peer, with a TTL or hop limit of 255, from an address outside the
// subnets of the link. The peer, with Linux's default of sending redirects, forwards
// them back and sends none.
// Conformance: RFC 5881 2/4 4/7 4/8 4/9 4/10 4/11; RFC 9747 2/2
func TestEchoPacketsTravelAsRFC5881And9747Ask(t *testing.T) {
	t.Parallel()
	for protocol, pair := range echoPairs {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			a, b := echoCable(t)
			wire := b.watch(t)
			inside := provoke(t, a, b, wire, netip.MustParseAddr(pair[0]))
			for kind, mine := range map[string]config.BFDSession{
				"affiliated": echoing(a.to(pair[0], pair[1])), "unaffiliated": unaffiliated(a.to(pair[0], pair[1])),
			} {
				t.Run(kind, func(t *testing.T) {
					a.t, b.t = t, t
					wire.take()
					if kind == "affiliated" {
						b.speak(returning(b.to(pair[1], pair[0])))
					}
					one := a.speak(mine)
					await(t, one, "has its echo packets back", echoesCome(enough))
					seen := wire.take()
					ours := echoFrame{b.mac(), echoSource[mine.Local.Is6()], pair[0], 255, 3785}
					back := echoFrame{a.mac(), ours.from, ours.to, 254, 3785}
					counts := map[echoFrame]int{}
					for _, f := range echoFrames(seen) {
						if f.from != inside {
							counts[f]++
						}
					}
					if counts[ours] < enough || counts[back] < enough || len(counts) != 2 {
						t.Errorf("the link carried %v; want only %v and, as many, %v", counts, ours, back)
					}
					if n := redirects(seen); n != 0 {
						t.Errorf("the peer sent %d redirects", n)
					}
				})
			}
		})
	}
}

// provoke is the positive control: it sends echo packets from an address of the cable's subnet
// until the peer answers with a redirect and wire has captured it. An IPv6 peer sends redirects
// only after duplicate detection of its link-local address. provoke returns the source address,
// since the last of these packets may still be in flight.
func provoke(t *testing.T, a, b *end, wire *frames, local netip.Addr) (inside string) {
	t.Helper()
	mac, err := net.ParseMAC(b.mac())
	if err != nil {
		t.Fatal(err)
	}
	var l *bfdio.EchoLink
	a.do(func() (err error) {
		l, err = bfdio.OpenEchoLink(a.link, local.Is6())
		return err
	})
	defer l.Close()
	inside = map[bool]string{false: "198.18.9.11", true: "2001:2:0:9::11"}[local.Is6()]
	a.up(inside + map[bool]string{false: "/24", true: "/64"}[local.Is6()])
	s := l.Sender(netip.MustParseAddr(inside), local)
	s.SetNeighbour(mac)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); redirects(wire.take()) == 0; <-tick.C {
		if err := s.Send([]byte("from inside")); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("no redirect within %v", patience)
		}
	}
	return inside
}

// TestEchoFindsThatThePeersForwardingStopped: its BFD continues, and control packets keep
// arriving; only echo packets detect it. The interval is the peer's minimum, which is
// longer than ours.
func TestEchoFindsThatThePeersForwardingStopped(t *testing.T) {
	t.Parallel()
	for protocol, pair := range echoPairs {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			a, b := echoCable(t)
			one, two := a.speak(echoing(a.to(pair[0], pair[1]))), b.speak(returning(b.to(pair[1], pair[0])))
			await(t, one, "has its echo packets back", func(x control.BFDSession) bool {
				return echoesCome(5)(x) && x.Echo.Transmit == 30*time.Millisecond && x.Echo.Detection == 90*time.Millisecond &&
					x.Ours.MinRx == time.Second && !x.Polling // control packets are sedate meanwhile (RFC 5880 6.8.3)
			})
			b.forward(false)
			failed := func(c control.BFDChange) bool { return c.To == "Down" && c.Diag == bfd.DiagEchoFailed.String() }
			s := await(t, one, "went Down for it", func(x control.BFDSession) bool { return slices.ContainsFunc(x.Changes, failed) })
			changes := s.Sessions[0].Changes
			down := changes[slices.IndexFunc(changes, failed)]
			if waited := down.At.Sub(down.LastReceived); down.Detection != 90*time.Millisecond || waited < down.Detection {
				t.Errorf("declared down %v after the last echo packet, Detection Time %v; want 90ms at least", waited, down.Detection)
			}
			await(t, two, "heard why", func(x control.BFDSession) bool { return x.RemoteDiag == bfd.DiagEchoFailed.String() })
			b.forward(true)
			before := s.Sessions[0].Echo.Received
			await(t, one, "has its echo packets back again", echoesCome(before+5))
		})
	}
}

// TestUnaffiliatedSessionsFollowForwardingAlone: the other system has no BFD.
func TestUnaffiliatedSessionsFollowForwardingAlone(t *testing.T) {
	t.Parallel()
	a, b := echoCable(t)
	var sessions []config.BFDSession
	for protocol, pair := range echoPairs {
		s := unaffiliated(a.to(pair[0], pair[1]))
		s.Name = protocol
		if protocol == "IPv6" {
			s.Auth = config.BFDAuth{Type: config.AuthMeticulousSHA1, Keys: []config.BFDKey{{ID: 1, Secret: "key"}}, Send: 1}
		}
		sessions = append(sessions, s)
	}
	one := a.speak(sessions...)
	up := func(x control.BFDSession) bool {
		return x.State == "Up" && x.Transmit == 20*time.Millisecond && x.Detection == 60*time.Millisecond
	}
	await(t, one, "is Up", up)
	b.forward(false)
	s := await(t, one, "is Down", func(x control.BFDSession) bool { return x.State == "Down" })
	for _, x := range s.Sessions {
		down := x.Changes[len(x.Changes)-1]
		if down.Diag != bfd.DiagEchoFailed.String() || down.At.Sub(down.LastReceived) < 60*time.Millisecond {
			t.Errorf("%s went down %+v; want the Echo Function Failed no earlier than after 60ms", x.Name, down)
		}
	}
	b.forward(true)
	await(t, one, "is Up again", up)
	if err := one.AdminDown(t.Context(), "IPv4", true); err == nil || !strings.Contains(err.Error(), "RFC 9747") {
		t.Errorf("AdminDown of an unaffiliated session: %v", err)
	}
}

// TestEchoPacketsComeBackAfterTheirLinkWasDown: through the same socket.
func TestEchoPacketsComeBackAfterTheirLinkWasDown(t *testing.T) {
	t.Parallel()
	a, _ := echoCable(t)
	pair := echoPairs["IPv4"]
	one := a.speak(unaffiliated(a.to(pair[0], pair[1])))
	set := func(change func(netlink.Link) error) {
		t.Helper()
		a.do(func() error {
			link, err := netlink.LinkByName(a.link)
			if err != nil {
				return err
			}
			return change(link)
		})
	}
	await(t, one, "has its echo packets back", echoesCome(5))
	set(netlink.LinkSetDown)
	s := await(t, one, "is Down", func(x control.BFDSession) bool { return x.State == "Down" && x.Echo.Neighbour == "" })
	set(netlink.LinkSetUp)
	await(t, one, "has its echo packets back again", echoesCome(s.Sessions[0].Echo.Received+5))
}

// TestEchoPacketsPassAReversePathFilter: our filter does not affect our own returning packets,
// since a packet socket receives them before it. If it would discard the peer's packets, or if we do
// not forward, we do not offer to return them.
// Conformance: RFC 5881 2/3
func TestEchoPacketsPassAReversePathFilter(t *testing.T) {
	t.Parallel()
	a, b := echoCable(t)
	pair := echoPairs["IPv4"]
	b.speak(returning(b.to(pair[1], pair[0])))
	a.sysctl("1", "ipv4/conf/all/rp_filter", "ipv4/conf/"+a.link+"/rp_filter")
	one := a.speak(echoing(a.to(pair[0], pair[1])))
	await(t, one, "has its echo packets back", echoesCome(5))
}

// TestEchoIsRefusedWhereTheSystemIsNotFitForIt: the error names the obstacle.
// Conformance: RFC 5881 2/3 4/10
func TestEchoIsRefusedWhereTheSystemIsNotFitForIt(t *testing.T) {
	t.Parallel()
	a, b := echoCable(t)
	v4, v6 := echoPairs["IPv4"], echoPairs["IPv6"]
	from := func(source string) config.BFDSession {
		s := echoing(a.to(v4[0], v4[1]))
		s.Echo.Source.Addr = netip.MustParseAddr(source)
		return s
	}
	refused := func(e *end, s config.BFDSession, want string) {
		t.Helper()
		var err error
		e.do(func() error {
			var opened *Speaker
			if opened, err = Open(&config.Speaker{Sessions: []config.BFDSession{s}}, slog.New(slog.DiscardHandler)); err == nil {
				opened.Close()
			}
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("opened with %v, want %q", err, want)
		}
	}
	refused(a, from("198.18.9.77"), "it is of 198.18.9.0/24 on a0, so the peer could answer with redirects (RFC 5881 4)")
	refused(a, from("198.18.77.2"), "it is not an address of this system")
	back4, back6 := returning(b.to(v4[1], v4[0])), returning(b.to(v6[1], v6[0]))
	for _, strict := range []string{"ipv4/conf/all/rp_filter", "ipv4/conf/b0/rp_filter"} {
		for _, mode := range []string{"1", "2"} {
			b.sysctl(mode, strict)
			refused(b, back4, "net."+strings.ReplaceAll(strict, "/", ".")+" is "+mode+", so the kernel would discard the peer's echo packets by their source (RFC 5881 2); set it to 0")
		}
		b.sysctl("0", strict)
	}
	b.forward(false)
	refused(b, back4, "net.ipv4.conf.b0.forwarding is 0, so the kernel would not forward the peer's echo packets back (RFC 5880 6.4); set it to 1")
	refused(b, back6, "net.ipv6.conf.all.forwarding is 0, so the kernel would not forward")
}

// TestForgedEchoPacketsChangeNothing: those that this system did not send, and those from
// farther away than the link.
func TestForgedEchoPacketsChangeNothing(t *testing.T) {
	t.Parallel()
	a, b := echoCable(t)
	pair := echoPairs["IPv4"]
	b.forward(false) // nothing genuine comes back
	one := a.speak(unaffiliated(a.to(pair[0], pair[1])))
	x := await(t, one, "has sent", func(x control.BFDSession) bool { return x.Counters.Sent > 0 }).Sessions[0]
	looped := bfd.Packet{State: bfd.Down, DetectMult: 3, MyDiscr: x.LocalDiscr, DesiredMinTxInterval: time.Second, RequiredMinRxInterval: time.Second}
	other := looped
	other.MyDiscr++
	forge := b.forger(t, a.mac(), pair)
	forge(254, other.AppendTo(nil))
	forge(254, looped.AppendTo(nil)[:20])
	forge(254, bytes.Repeat([]byte{0xff}, 28))
	forge(254, nil)
	forge(253, looped.AppendTo(nil))      // one router too many
	forge(255, looped.AppendTo(nil))      // none at all
	forge(255, looped.AppendTo(nil)[:24]) // as long as a packet has to be
	s := await(t, one, "discarded what the kernel let pass", func(x control.BFDSession) bool { return x.Counters.Dropped["ttl"] == 2 })
	if x := s.Sessions[0]; x.State != "Down" || x.Counters.Received != 0 || s.NoSession != 0 {
		t.Errorf("state %s, %d packets received, %d of no session; want Down and none", x.State, x.Counters.Received, s.NoSession)
	}
	if want := map[string]uint64{"echo_forged": 2, "length": 2, "ttl": 1}; !maps.Equal(s.Filtered, want) {
		t.Errorf("the kernel discarded %v, want %v", s.Filtered, want)
	}
	forge(254, looped.AppendTo(nil)) // indistinguishable from a genuine one
	await(t, one, "took it", func(x control.BFDSession) bool { return x.Counters.Received == 1 })
}

// forger returns a function that sends to the other end's echo port with any TTL.
func (e *end) forger(t *testing.T, mac string, pair [2]string) func(ttl uint8, payload []byte) {
	t.Helper()
	var fd, index int
	e.do(func() error {
		link, err := net.InterfaceByName(e.link)
		if err != nil {
			return err
		}
		index = link.Index
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		return err
	})
	t.Cleanup(func() { unix.Close(fd) })
	hardware, err := net.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrLinklayer{Protocol: unix.ETH_P_IP<<8&0xff00 | unix.ETH_P_IP>>8, Ifindex: index, Halen: uint8(len(hardware))}
	copy(to.Addr[:], hardware)
	return func(ttl uint8, payload []byte) {
		t.Helper()
		ip := &layers.IPv4{Version: 4, TTL: ttl, Protocol: layers.IPProtocolUDP, SrcIP: net.ParseIP(pair[1]).To4(), DstIP: net.ParseIP(pair[0]).To4()}
		udp := &layers.UDP{SrcPort: bfdio.EchoPort, DstPort: bfdio.EchoPort}
		buffer := gopacket.NewSerializeBuffer()
		if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
		if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, udp, gopacket.Payload(payload)); err != nil {
			t.Fatal(err)
		}
		if err := unix.Sendto(fd, buffer.Bytes(), 0, to); err != nil {
			t.Fatal(err)
		}
	}
}
