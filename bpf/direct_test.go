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

// directServices are those whose backends answer clients directly.
func directServices() (all []dataplane.Service) {
	for _, s := range []dataplane.Service{
		labService(flow.TCP, directPort, dataplane.DSRL2, dataplane.RoundRobin, directPort),
		labService(flow.UDP, directPort, dataplane.DSRL2, dataplane.RoundRobin, directPort),
		labService(flow.TCP, directMaglev, dataplane.DSRL2, dataplane.Maglev, directMaglev),
	} {
		s.SNAT = flow.Addr{}
		s.Backends = append(s.Backends, dataplane.Backend{Addr: address(secondBackend), Port: s.Port})
		all = append(all, s)
	}
	return all
}

// directChoice is the backend that Maglev chooses for toVIP.
func directChoice(sport uint16) flow.Addr {
	for _, s := range directServices() {
		if s.Port == directMaglev {
			slots := model.Slots(s)
			return slots[model.Hash(toVIP(flow.TCP, sport, directMaglev))%uint64(len(slots))].Addr
		}
	}
	panic("no such service")
}

// directTests: flows whose backends answer directly, so that the node sees the client alone.
func directTests() []packetTest {
	o, other, udp := toVIP(flow.TCP, 40000, directPort), toVIP(flow.TCP, 40001, directPort), toVIP(flow.UDP, 40000, directPort)
	r := flow.DirectReply(o, address(backendAddr))
	udpReply := flow.DirectReply(udp, address(backendAddr))
	m := toVIP(flow.TCP, 40000, directMaglev)
	n := flow.DirectReply(m, directChoice(40000))
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
	toldBackend := fmt.Sprintf("forward icmp %d/%d %s>%s about %s", kind, code, address(routerAddr), address(vipAddr), o.Reverse())
	return []packetTest{{
		rule:   "direct: the client's ACK establishes, round robin takes turns, nothing is claimed",
		steps:  after(in(other, syn, forwarded(other))),
		table:  []string{at(flow.Established), line(other, flow.DirectReply(other, address(secondBackend)), flow.SynSent, flow.Opened, 60*time.Second)},
		events: then(line(other, flow.DirectReply(other, address(secondBackend)), flow.SynSent, flow.Opened, 60*time.Second)),
	}, {
		rule:  "direct: what a backend sends through the host is the host's",
		steps: after(back(o.Reverse(), syn|ack, "pass"), back(r, ack, "pass")),
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  "direct: an ACK beside the SYN's number establishes nothing",
		steps: []step{in(o, syn, forwarded(o)), sent(clientISN+2+length, 0, ack), sent(clientISN-1, 0, ack)},
		table: []string{at(flow.SynSent)}, events: []string{at(flow.SynSent)},
	}, {
		rule:  "direct: the data of a SYN may be accepted or not (RFC 7413)",
		steps: []step{blindly(clientISN, 0, in(o, syn, forwarded(o))), sent(clientISN+1+length, acked, ack)},
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  "direct: a FIN at the next number waits, an ACK does not end it, and no FIN of the backend is needed",
		steps: after(in(o, fin|ack, forwarded(o)), later(time.Second, in(o, ack, forwarded(o))), later(2*time.Second, in(o, fin|ack, forwarded(o)))),
		table: []string{at(flow.FinWait)}, events: then(at(flow.FinWait)),
	}, {
		rule:   "direct: a RST at the next number closes, and a SYN then opens anew with a new choice",
		steps:  after(sent(next, 0, rst), in(o, syn, forwarded(o))),
		table:  []string{line(o, flow.DirectReply(o, address(secondBackend)), flow.SynSent, flow.Opened, 60*time.Second)},
		events: then(at(flow.Closed), line(o, flow.DirectReply(o, address(secondBackend)), flow.SynSent, flow.Opened, 60*time.Second)),
	}, {
		rule:  "direct: a RST or FIN that has neither number ends nothing and keeps nothing alive",
		steps: after(later(time.Second, sent(next+1, 0, rst)), sent(next-1, acked+1, rst|ack), sent(next+1<<16, acked-1, fin|ack), sent(0, acked, rst)),
		table: []string{on(r, flow.Established, flow.Opened, time.Second)}, events: established,
	}, {
		rule:  "direct: data with neither number moves nothing",
		steps: after(sent(next+500, acked+1, ack), sent(next+500+length, 0, rst)),
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  "direct: data after a loss counts by its acknowledgement number, and again by its own",
		steps: after(sent(next+500, acked, ack), sent(next+500+length, acked+700, ack), sent(next, acked+700, ack), sent(next+500+2*length, 0, rst)),
		table: []string{at(flow.Closed)}, events: then(at(flow.Closed)),
	}, {
		rule:  "direct: a SYN does not touch an established connection",
		steps: after(later(time.Second, sent(7, 0, syn)), sent(8, 0, ack), sent(8+length, 0, rst)),
		table: []string{at(flow.Established)}, events: established,
	}, {
		rule:  "direct: a SYN in fin-wait begins a new connection with the same backend",
		steps: after(in(o, fin|ack, forwarded(o)), later(100*time.Second, sent(7, 0, syn)), sent(8+length, 9, ack)),
		table: []string{at(flow.Established)}, events: then(at(flow.FinWait), at(flow.SynSent), at(flow.Established)),
	}, {
		rule:  "direct: a SYN that is repeated does not keep a flow that nobody answers",
		steps: []step{in(o, syn, forwarded(o)), later(30*time.Second, in(o, syn, forwarded(o)))},
		table: []string{on(r, flow.SynSent, flow.Opened, 30*time.Second)}, events: []string{at(flow.SynSent)},
	}, {
		rule:  "direct: after a takeover no RST and no FIN is believed before a segment has told the numbers",
		steps: []step{apply(synced), sent(next, acked, rst), sent(next, acked, fin|ack), sent(next, acked, ack), sent(next+1, acked+1, rst|ack)},
		table: []string{on(r, flow.Established, flow.Synced, 0)},
	}, {
		rule:   "direct: and then it is",
		steps:  []step{apply(synced), sent(next, acked, ack), sent(next+length, acked, fin|ack)},
		table:  []string{on(r, flow.FinWait, flow.Synced, 0)},
		events: []string{on(r, flow.FinWait, flow.Synced, 0)},
	}, {
		rule: "direct: a half-open connection of the peer needs two segments",
		steps: []step{apply(flow.Entry{Original: o, Reply: r, State: flow.SynSent, Origin: flow.Synced, Remaining: time.Minute}),
			sent(next, acked, ack), sent(next+length, acked, ack)},
		table:  []string{on(r, flow.Established, flow.Synced, 0)},
		events: []string{on(r, flow.Established, flow.Synced, 0)},
	}, {
		rule:   "direct: Maglev's flows are adopted, and established by the client's next segment",
		steps:  []step{onMiss(dataplane.MissAdopt), in(m, ack|psh, forwarded(m)), later(time.Second, in(m, ack|psh, forwarded(m)))},
		table:  []string{on(n, flow.Established, flow.Adopted, 0)},
		events: []string{on(n, flow.SynSent, flow.Adopted, 0), on(n, flow.Established, flow.Adopted, 0)},
	}, {
		rule:  "direct: round robin's are not",
		steps: []step{onMiss(dataplane.MissAdopt), in(o, ack|psh, "drop miss")},
	}, {
		rule:   "direct: a client that sends again assures a UDP flow",
		steps:  []step{in(udp, 0, forwarded(udp)), later(time.Second, in(udp, 0, forwarded(udp)))},
		table:  []string{on(udpReply, flow.Assured, flow.Opened, 0)},
		events: []string{on(udpReply, flow.Unreplied, flow.Opened, 0), on(udpReply, flow.Assured, flow.Opened, 0)},
	}, {
		rule:  "direct: an error about what the backend may have sent reaches it as it is",
		steps: after(about(acked, toldBackend), about(acked+1<<20, toldBackend), about(acked-1, "drop icmp-forged"), about(acked+1<<30, "drop icmp-forged")),
		table: []string{at(flow.Established)}, events: established,
	}}
}

// The programs address a direct flow's packets to its backend themselves, first and later ones.
// The VIP is the destination of all of them and nobody's address.
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
		for i, backend := range []string{backendAddr, secondBackend} {
			addressed := 0
			o := toVIP(flow.TCP, 40000+uint16(i), directPort)
			for _, flags := range []int{syn, ack, ack, ack} {
				frame := fromClient(o, flags)
				verdict, out := s.packet("client0", frame)
				switch {
				case verdict != model.Forward:
					t.Fatalf("%s to %s: %s", o, backend, verdict)
				case bytes.Equal(out[:6], macs[backend]):
					addressed++
				case !bytes.Equal(out[:12], frame[:12]): // the kernel addresses it after the program
					t.Errorf("%s to %s: addressed to %s", o, backend, net.HardwareAddr(out[:6]))
				}
			}
			if addressed < 2 {
				t.Errorf("%d packets to %s were addressed to it", addressed, backend)
			}
		}
	})
}

// A backend behind a gateway gets nothing: the gateway would take the VIP for the node's.
func TestDirectPacketsGoToNoGateway(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		cfg, far := testConfig(), "198.18.9.11"
		for i := range cfg.Services {
			if cfg.Services[i].Mode.Direct() {
				cfg.Services[i].Backends = []dataplane.Backend{{Addr: address(far), Port: cfg.Services[i].Port}}
			}
		}
		s := newProgramSubject(t, cfg)
		s.inside(func() {
			s.must(netlink.RouteAdd(&netlink.Route{Dst: hostNet(address(far).Netip()), Gw: address(backendAddr).Netip().AsSlice(), LinkIndex: s.index["backend0"]}))
		})
		s.must(s.Lease(clock.Never))
		for _, flags := range []int{syn, ack, ack} {
			frame := fromClient(toVIP(flow.TCP, 40000, directPort), flags)
			if verdict, out := s.packet("client0", frame); verdict != model.Forward || !bytes.Equal(out[:12], frame[:12]) || s.direct > 0 {
				t.Errorf("%s, addressed to %s: only the kernel may address it, and it finds nobody", verdict, net.HardwareAddr(out[:6]))
			}
		}
	})
}

// newDirectLab is a lab whose backend has the VIP and a way of its own to the client.
func newDirectLab(t *testing.T) *lab {
	t.Helper()
	direct := func(proto flow.Proto) dataplane.Service {
		s := labService(proto, directPort, dataplane.DSRL2, dataplane.RoundRobin, directPort)
		s.SNAT = flow.Addr{}
		return s
	}
	l := newLab(t, labConfig(direct(flow.TCP), direct(flow.UDP)))
	wire(t, l.backend, "eth1", "198.18.3.11/24", l.client, "eth1", "198.18.3.1/24")
	if inIPv6 {
		addIPv6(t, l.backend, "eth1", "198.18.3.11")
		addIPv6(t, l.client, "eth1", "198.18.3.1")
	}
	inside(t, l.client, func() error {
		for _, scope := range []string{"all", "eth0", "eth1"} { // answers come another way than requests go
			if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+scope+"/rp_filter", []byte("0"), 0); err != nil {
				return err
			}
		}
		return nil
	})
	inside(t, l.backend, func() error {
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/all/arp_ignore", []byte("1"), 0); err != nil { // nobody finds the VIP by ARP
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
	l.lease(t, clock.Never)
	return l
}

// awaitOwn waits until a namespace takes packets for an address of its own: an IPv6 one gets its route
// by a worker of the kernel, and until then packets are answered as unreachable.
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

// A backend that has the VIP serves a client without the way back through the load balancer, which
// follows the connection from the client's side to its end.
func TestDirectReturn(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		l := newDirectLab(t)
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
