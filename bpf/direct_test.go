package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// directPair holds the ports of services of one mode whose backends answer clients directly.
type directPair struct {
	mode       dataplane.Mode
	rr, maglev uint16
}

var (
	directPorts = directPair{dataplane.DSRL2, directPort, directMaglev}
	tunnelPorts = directPair{dataplane.DSRIPIP, tunnelPort, tunnelMaglev}
)

func directServices(of directPair) (all []dataplane.Service) {
	for _, s := range []dataplane.Service{
		labService(flow.TCP, of.rr, of.mode, dataplane.RoundRobin, of.rr),
		labService(flow.UDP, of.rr, of.mode, dataplane.RoundRobin, of.rr),
		labService(flow.TCP, of.maglev, of.mode, dataplane.Maglev, of.maglev),
	} {
		s.SNAT = flow.Addr{}
		s.Backends = append(s.Backends, dataplane.Backend{Addr: address(secondBackend), Port: s.Port})
		for i, b := range []string{backendAddr, secondBackend} {
			s.Backends[i].Addr = of.backend(b)
		}
		all = append(all, s)
	}
	return all
}

// backend returns the address of a backend.
func (of directPair) backend(addr string) flow.Addr {
	if of.mode.Encapsulates() {
		return tunnelAddress(addr)
	}
	return address(addr)
}

// choice returns the backend that Maglev chooses for toVIP.
func (of directPair) choice(sport uint16) flow.Addr {
	slots := model.Slots(directServices(of)[2])
	return slots[model.Hash(toVIP(flow.TCP, sport, of.maglev))%uint64(len(slots))].Addr
}

// leaves returns the fate of a packet with this description for a backend.
func (of directPair) leaves(description string, backend flow.Addr) string {
	if of.mode.Encapsulates() {
		return fmt.Sprintf("tunnel %s by %s>%s", description, tunnelAddress("198.18.1.1"), backend)
	}
	return description
}

// directTests: flows whose backends answer directly, so that the node sees only the client's packets.
func directTests(of directPair) []packetTest {
	o, other, udp := toVIP(flow.TCP, 40000, of.rr), toVIP(flow.TCP, 40001, of.rr), toVIP(flow.UDP, 40000, of.rr)
	r := flow.DirectReply(o, of.backend(backendAddr))
	udpReply := flow.DirectReply(udp, of.backend(backendAddr))
	m := toVIP(flow.TCP, 40000, of.maglev)
	n := flow.DirectReply(m, of.choice(40000))
	to := func(backend string) func(flow.Tuple) string {
		return func(t flow.Tuple) string { return of.leaves("forward "+t.String(), of.backend(backend)) }
	}
	forwarded, toSecond, toChosen := to(backendAddr), to(secondBackend), func(t flow.Tuple) string { return of.leaves("forward "+t.String(), n.Src) }
	life := func(s flow.State) time.Duration {
		if s == flow.FinWait {
			return 2 * time.Minute // as IPVS keeps it
		}
		return lifetimes.Of(s)
	}
	on := func(reply flow.Tuple, s flow.State, origin flow.Origin, age time.Duration) string {
		original := o
		switch reply {
		case n:
			original = m
		case udpReply:
			original = udp
		}
		return line(original, reply, s, origin, life(s)-age)
	}
	at := func(s flow.State) string { return on(r, s, flow.Opened, 0) }
	established := []string{at(flow.SynSent), at(flow.Established)}
	then := func(more ...string) []string { return append(slices.Clone(established), more...) }
	handshake := []step{in(o, syn, forwarded(o)), in(o, ack, forwarded(o))}
	after := func(more ...step) []step { return append(slices.Clone(handshake), more...) }
	length := uint32(len(payload))
	next := clientISN + 1 + length // the client's next byte after the handshake
	acked := uint32(backendISN)    // what the client acknowledges
	sent := func(seq, ackNumber uint32, flags int) step {
		return blindly(seq, ackNumber, in(o, flags, forwarded(o)))
	}
	synced := flow.Entry{Original: o, Reply: r, State: flow.Established, Origin: flow.Synced, Remaining: lifetimes.Established}
	kind, code := uint8(unreachable), uint8(fragNeeded)
	if inIPv6 {
		kind, code = 2, 0 // packet too big
	}
	about := func(seq uint32, want string) step {
		frame := withNumbers(frameTo(peerMAC, o.Reverse(), ack, payload), seq, 0)
		return step{link: "client0", frame: errorFrame(clientMAC, address(routerAddr), kind, code, frame, quoted), blind: true, want: want}
	}
	toldBackend := of.leaves(fmt.Sprintf("forward icmp %d/%d %s>%s about %s", kind, code, address(routerAddr), address(vipAddr), o.Reverse()), of.backend(backendAddr))
	return []packetTest{{
		rule:   of.mode.String() + ": the client's ACK establishes, round robin takes turns, nothing is claimed",
		steps:  after(in(other, syn, toSecond(other))),
		table:  []string{at(flow.Established), line(other, flow.DirectReply(other, of.backend(secondBackend)), flow.SynSent, flow.Opened, 60*time.Second)},
		events: then(line(other, flow.DirectReply(other, of.backend(secondBackend)), flow.SynSent, flow.Opened, 60*time.Second)),
	}, {
		rule:  of.mode.String() + ": what a backend sends through the host is the host's",
		steps: after(back(o.Reverse(), syn|ack, "pass"), back(r, ack, "pass")),
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  of.mode.String() + ": an ACK beside the SYN's number establishes nothing",
		steps: []step{in(o, syn, forwarded(o)), sent(clientISN+2+length, 0, ack), sent(clientISN-1, 0, ack)},
		table: []string{at(flow.SynSent)}, events: []string{at(flow.SynSent)},
	}, {
		rule:  of.mode.String() + ": the data of a SYN may be accepted or not (RFC 7413)",
		steps: []step{blindly(clientISN, 0, in(o, syn, forwarded(o))), sent(clientISN+1+length, acked, ack)},
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  of.mode.String() + ": a FIN at the next number waits, an ACK does not end it, and no FIN of the backend is needed",
		steps: after(in(o, fin|ack, forwarded(o)), later(time.Second, in(o, ack, forwarded(o))), later(2*time.Second, in(o, fin|ack, forwarded(o)))),
		table: []string{at(flow.FinWait)}, events: then(at(flow.FinWait)),
	}, {
		rule:   of.mode.String() + ": a RST at the next number closes, and a SYN then opens anew with a new choice",
		steps:  after(sent(next, 0, rst), in(o, syn, toSecond(o))),
		table:  []string{line(o, flow.DirectReply(o, of.backend(secondBackend)), flow.SynSent, flow.Opened, 60*time.Second)},
		events: then(at(flow.Closed), line(o, flow.DirectReply(o, of.backend(secondBackend)), flow.SynSent, flow.Opened, 60*time.Second)),
	}, {
		rule:  of.mode.String() + ": a RST or FIN that has neither number ends nothing and keeps nothing alive",
		steps: after(later(time.Second, sent(next+1, 0, rst)), sent(next-1, acked+1, rst|ack), sent(next+1<<16, acked-1, fin|ack), sent(0, acked, rst)),
		table: []string{on(r, flow.Established, flow.Opened, time.Second)}, events: established,
	}, {
		rule:  of.mode.String() + ": data with neither number moves nothing, if one is behind or far ahead",
		steps: after(sent(next+500, acked-1, ack), sent(next-1, acked+1, ack), sent(next+500, acked+1<<18, ack), sent(next+1<<18, acked+1, ack), sent(next+500+length, 0, rst)),
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  of.mode.String() + ": a FIN that overtakes data has both numbers a little ahead, and waits",
		steps: after(sent(next+1<<18-1, acked+1<<18-1, fin|ack)),
		table: []string{at(flow.FinWait)}, events: then(at(flow.FinWait)),
	}, {
		rule:  of.mode.String() + ": a FIN with one number as far ahead as none may be proves nothing",
		steps: after(sent(next+1<<18, acked+1, fin|ack), sent(next+1, acked+1<<18, fin|ack)),
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  of.mode.String() + ": a RST needs one of the numbers itself",
		steps: after(sent(next+1, acked+1, rst|ack)),
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  of.mode.String() + ": data after a loss counts by its acknowledgement number, and again by its own",
		steps: after(sent(next+500, acked, ack), sent(next+500+length, acked+700, ack), sent(next, acked+700, ack), sent(next+500+2*length, 0, rst)),
		table: []string{at(flow.Closed)}, events: then(at(flow.Closed)),
	}, {
		rule:  of.mode.String() + ": a SYN does not touch an established connection",
		steps: after(later(time.Second, sent(7, 0, syn)), sent(8, 0, ack), sent(8+length, 0, rst)),
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  of.mode.String() + ": a SYN in fin-wait begins a new connection with the same backend",
		steps: after(in(o, fin|ack, forwarded(o)), later(100*time.Second, sent(7, 0, syn)), sent(8+length, 9, ack)),
		table: []string{at(flow.Established)}, events: then(at(flow.FinWait), at(flow.SynSent), at(flow.Established)),
	}, {
		rule:  of.mode.String() + ": and the FIN of the old one is forgotten: one that proves nothing keeps nothing alive",
		steps: after(in(o, fin|ack, forwarded(o)), sent(7, 0, syn), sent(8+length, 9, ack), later(time.Second, sent(next+1<<16, 1<<20, fin|ack))),
		table: []string{on(r, flow.Established, flow.Opened, time.Second)}, events: then(at(flow.FinWait), at(flow.SynSent), at(flow.Established)),
	}, {
		rule:  of.mode.String() + ": a SYN that is repeated does not keep a flow that nobody answers",
		steps: []step{in(o, syn, forwarded(o)), later(30*time.Second, in(o, syn, forwarded(o)))},
		table: []string{on(r, flow.SynSent, flow.Opened, 30*time.Second)}, events: []string{at(flow.SynSent)},
	}, {
		rule:  of.mode.String() + ": after a takeover no RST and no FIN is believed before a segment has told the numbers",
		steps: []step{apply(synced), sent(next, acked, rst), sent(next, acked, fin|ack), sent(next, acked, ack), sent(next+1, acked+1, rst|ack)},
		table: []string{on(r, flow.Established, flow.Synced, 0)},
	}, {
		rule:  of.mode.String() + ": nor does the FIN tell them: what continues it is not believed",
		steps: []step{apply(synced), sent(next, acked, fin|ack), sent(next+length+1, 0, rst), sent(next+length+1, acked+1, fin|ack)},
		table: []string{on(r, flow.Established, flow.Synced, 0)},
	}, {
		rule:   of.mode.String() + ": and then it is",
		steps:  []step{apply(synced), sent(next, acked, ack), sent(next+length, acked, fin|ack)},
		table:  []string{on(r, flow.FinWait, flow.Synced, 0)},
		events: []string{on(r, flow.FinWait, flow.Synced, 0)},
	}, {
		rule: of.mode.String() + ": a half-open connection of the peer needs two segments",
		steps: []step{apply(flow.Entry{Original: o, Reply: r, State: flow.SynSent, Origin: flow.Synced, Remaining: time.Minute}),
			sent(next, acked, ack), sent(next+length, acked, ack)},
		table:  []string{on(r, flow.Established, flow.Synced, 0)},
		events: []string{on(r, flow.Established, flow.Synced, 0)},
	}, {
		rule:   of.mode.String() + ": Maglev's flows are adopted, and established by the client's next segment",
		steps:  []step{onMiss(dataplane.MissAdopt), in(m, ack|psh, toChosen(m)), later(time.Second, in(m, ack|psh, toChosen(m)))},
		table:  []string{on(n, flow.Established, flow.Adopted, 0)},
		events: []string{on(n, flow.SynSent, flow.Adopted, 0), on(n, flow.Established, flow.Adopted, 0)},
	}, {
		rule:  of.mode.String() + ": round robin's are not",
		steps: []step{onMiss(dataplane.MissAdopt), in(o, ack|psh, "drop miss")},
	}, {
		rule:   of.mode.String() + ": a client that sends again assures a UDP flow",
		steps:  []step{in(udp, 0, forwarded(udp)), later(time.Second, in(udp, 0, forwarded(udp)))},
		table:  []string{on(udpReply, flow.Assured, flow.Opened, 0)},
		events: []string{on(udpReply, flow.Unreplied, flow.Opened, 0), on(udpReply, flow.Assured, flow.Opened, 0)},
	}, {
		rule:  of.mode.String() + ": an error about what the backend may have sent reaches it as it is",
		steps: after(about(acked, toldBackend), about(acked+1<<20, toldBackend), about(acked-1, "drop icmp-forged"), about(acked+1<<30, "drop icmp-forged")),
		table: []string{at(flow.Established)}, events: established,
	}}
}

// The programs themselves address a direct flow's packets, first and later ones, to its backend.
// Their destination is the VIP, which no host on the link resolves.
func TestDirectPacketsGoToTheirBackend(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		s := newProgramSubject(t, testConfig())
		macs := map[string]net.HardwareAddr{backendAddr: {2, 0, 0, 0, 8, 1}, secondBackend: {2, 0, 0, 0, 8, 2}}
		s.inside(func() {
			link, err := net.InterfaceByName("backend0")
			s.must(err)
			for a, mac := range macs {
				s.neighbour(link, mac, a)
			}
		})
		s.must(s.Lease(clock.Never))
		for _, port := range []uint16{directPort, tunnelPort} {
			for i, backend := range []string{backendAddr, secondBackend} {
				addressed := s.addressed(toVIP(flow.TCP, 40000+uint16(i), port), macs[backend])
				if addressed < 2 {
					t.Errorf("port %d: %d packets to %s were addressed to it", port, addressed, backend)
				}
			}
		}
	})
}

// addressed sends packets of a new flow and returns how many of them the programs addressed to a
// neighbour. The kernel addresses the others after the program.
func (s *programSubject) addressed(o flow.Tuple, mac net.HardwareAddr) (n int) {
	s.t.Helper()
	for _, flags := range []int{syn, ack, ack, ack} {
		frame := fromClient(o, flags)
		verdict, out := s.packet("client0", frame)
		switch {
		case verdict != model.Forward:
			s.t.Fatalf("%s: %s", o, verdict)
		case bytes.Equal(out[:6], mac):
			n++
		case !bytes.Equal(out[:12], frame[:12]):
			s.t.Errorf("%s: addressed to %s", o, net.HardwareAddr(out[:6]))
		}
	}
	return n
}

// A backend behind a gateway gets packets only if they are encapsulated: the gateway would route the
// VIP back to the node. An outer header names the backend.
func TestDirectPacketsAndGateways(t *testing.T) {
	eachTunnel(t, func(t *testing.T) {
		cfg, far, gateway := testConfig(), "198.18.9.11", net.HardwareAddr{2, 0, 0, 0, 8, 1}
		for i := range cfg.Services {
			if cfg.Services[i].Mode.Direct() {
				pair := directPair{mode: cfg.Services[i].Mode}
				cfg.Services[i].Backends = []dataplane.Backend{{Addr: pair.backend(far), Port: cfg.Services[i].Port}}
			}
		}
		s := newProgramSubject(t, cfg)
		s.inside(func() {
			link, err := net.InterfaceByName("backend0")
			s.must(err)
			s.neighbour(link, gateway, backendAddr)
			for _, of := range []func(string) flow.Addr{address, tunnelAddress} {
				s.must(netlink.RouteReplace(&netlink.Route{Dst: hostNet(of(far).Netip()), Gw: of(backendAddr).Netip().AsSlice(), LinkIndex: s.index["backend0"]}))
			}
		})
		s.must(s.Lease(clock.Never))
		if n := s.addressed(toVIP(flow.TCP, 40000, directPort), gateway); n > 0 {
			t.Errorf("dsr-l2: %d packets addressed to the gateway: only the kernel may address them, and it finds nobody", n)
		}
		if n := s.addressed(toVIP(flow.TCP, 40000, tunnelPort), gateway); n < 2 {
			t.Errorf("dsr-ipip: %d packets addressed to the gateway", n)
		}
	})
}

// newDirectLab returns a lab whose backend has the VIP and its own link to the client. A backend with
// another address than the lab's is behind a router.
func newDirectLab(t *testing.T, mode dataplane.Mode, backend string) *lab {
	t.Helper()
	direct := func(proto flow.Proto) dataplane.Service {
		s := labService(proto, directPort, mode, dataplane.RoundRobin, directPort)
		s.SNAT = flow.Addr{}
		s.Backends[0].Addr = directPair{mode: mode}.backend(backend)
		return s
	}
	l := newLab(t, labConfig(direct(flow.TCP), direct(flow.UDP)))
	wire(t, l.backend, "eth1", "198.18.3.11/24", l.client, "eth1", "198.18.3.1/24")
	if inIPv6 {
		addIPv6(t, l.backend, "eth1", "198.18.3.11")
		addIPv6(t, l.client, "eth1", "198.18.3.1")
	}
	inside(t, l.client, func() error {
		for _, scope := range []string{"all", "eth0", "eth1"} { // answers and requests take different links
			if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+scope+"/rp_filter", []byte("0"), 0); err != nil {
				return err
			}
		}
		return nil
	})
	inside(t, l.backend, func() error {
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/all/arp_ignore", []byte("1"), 0); err != nil { // the VIP is not resolved by ARP
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		eth1, err := netlink.LinkByName("eth1")
		if err != nil {
			return err
		}
		client, vip := address(clientAddr).Netip(), address(vipAddr).Netip()
		return errors.Join(
			netlink.AddrAdd(lo, &netlink.Addr{IPNet: hostNet(vip), Flags: unix.IFA_F_NODAD}),
			netlink.RouteAdd(&netlink.Route{Dst: hostNet(client), Gw: address("198.18.3.1").Netip().AsSlice(), LinkIndex: eth1.Attrs().Index}))
	})
	awaitOwn(t, l.backend, vipAddr)
	if backend != backendAddr {
		l.routeBackend(t, backend)
	}
	if mode.Encapsulates() {
		l.unpack(t, backend)
	}
	l.lease(t, clock.Never)
	return l
}

// awaitOwn waits until a namespace accepts packets to its own address. A kernel worker adds the route of
// an IPv6 address; until then packets are answered as unreachable.
func awaitOwn(t *testing.T, n ns.NetNS, addr string) {
	t.Helper()
	gomega.NewWithT(t).Eventually(func() (kind int, err error) {
		err = n.Do(func(ns.NetNS) error {
			routes, err := netlink.RouteGet(address(addr).Netip().AsSlice())
			if err == nil {
				kind = routes[0].Type
			}
			return err
		})
		return kind, err
	}).WithTimeout(ioTimeout).WithPolling(time.Millisecond).Should(gomega.Equal(unix.RTN_LOCAL))
}

// hostNet is the network of one address.
func hostNet(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

// A backend that has the VIP serves a client directly. The load balancer follows the connection to its
// end by the client's packets alone.
func TestDirectReturn(t *testing.T) {
	eachDirectWay(t, func(t *testing.T, mode dataplane.Mode) {
		l := newDirectLab(t, mode, backendAddr)
		if inHook == dataplane.HookXDP {
			l.wholeChecksums(t)
		}
		go echo(l.listen(t, directPort))
		conn := l.dial(t, "tcp", directPort)
		sent := bytes.Repeat([]byte("baton relays every byte of it. "), 1<<17)
		go func() {
			conn.Write(sent)
			conn.(*net.TCPConn).CloseWrite()
		}()
		received, err := io.ReadAll(conn)
		if err != nil || !bytes.Equal(received, sent) {
			t.Fatalf("received %d of %d bytes: %v", len(received), len(sent), err)
		}
		l.echoDatagramsAt(t, address(vipAddr).WithPort(directPort).String()) // answers have the VIP as source
		datagrams := l.dial(t, "udp", directPort)
		for i := range 20 {
			exchange(t, datagrams, fmt.Sprintf("datagram %d", i))
		}
		c := counters(t, l.dp)
		if c.Forwarded[0] < uint64(len(sent)/1500) || c.Forwarded[1] != 0 {
			t.Errorf("%v packets forwarded, want many to the backend and none back", c.Forwarded)
		}
		if fast := c.Fast.Forwarded[0]; (fast > c.Forwarded[0]/2) != (inHook == dataplane.HookXDP) {
			t.Errorf("%d of %v packets went by XDP", fast, c.Forwarded)
		}
		if got := table(t, l.dp); len(got) != 2 || !strings.Contains(got[0], "fin-wait opened") || !strings.Contains(got[1], "assured opened") {
			t.Errorf("table %q, want the closed connection and the datagrams", got)
		}
	})
}

// eachDirectWay runs a test with each direct mode, over both families and both hooks.
func eachDirectWay(t *testing.T, f func(*testing.T, dataplane.Mode)) {
	for _, mode := range []dataplane.Mode{dataplane.DSRL2, dataplane.DSRIPIP} {
		t.Run(mode.String(), func(t *testing.T) { eachWay(t, func(t *testing.T) { f(t, mode) }) })
	}
	t.Run(dataplane.DSRIPIP.String()+" across families", func(t *testing.T) {
		acrossFamilies(t)
		eachWay(t, func(t *testing.T) { f(t, dataplane.DSRIPIP) })
	})
}

// eachTunnel runs a test over both families and both hooks, with backends of either family.
func eachTunnel(t *testing.T, f func(*testing.T)) {
	t.Run("of the VIP's family", func(t *testing.T) { eachWay(t, f) })
	t.Run("across families", func(t *testing.T) {
		acrossFamilies(t)
		eachWay(t, f)
	})
}

// eachWay runs a test over both families and both hooks.
func eachWay(t *testing.T, f func(*testing.T)) {
	nothing := func(testing.TB) {}
	for _, family := range []struct {
		name string
		over func(testing.TB)
	}{{"IPv4", nothing}, {"IPv6", overIPv6}} {
		for _, hook := range []struct {
			name string
			over func(testing.TB)
		}{{"TCX", nothing}, {"XDP", overXDP}} {
			t.Run(family.name+" "+hook.name, func(t *testing.T) {
				family.over(t)
				hook.over(t)
				f(t)
			})
		}
	}
}
