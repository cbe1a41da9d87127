package netns_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/netns"
	"baton/scenarios/lab"
)

// briefly returns a context for a receipt that cannot come.
func briefly() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	DeferCleanup(cancel)
	return ctx
}

// carries reports whether an interface has carrier.
func carries(h *netns.Host, name string) bool {
	GinkgoHelper()
	link, err := h.Netlink().LinkByName(name)
	Expect(err).NotTo(HaveOccurred())
	return link.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
}

// tcpSockets counts the TCP sockets of a namespace in any state.
func tcpSockets(h *netns.Host) (n int) {
	GinkgoHelper()
	Expect(h.Do(func() error {
		sockets, err := netlink.SocketDiagTCP(unix.AF_INET)
		n = len(sockets)
		return err
	})).To(Succeed())
	return n
}

func neighbours(h *netns.Host) []string {
	GinkgoHelper()
	list, err := h.Netlink().NeighList(0, netlink.FAMILY_V4)
	Expect(err).NotTo(HaveOccurred())
	var known []string
	for _, n := range list {
		if n.State&netlink.NUD_NOARP == 0 {
			known = append(known, n.IP.String())
		}
	}
	return known
}

var _ = Describe("crash and restore", func() {
	var pair *netns.Pair
	var lb1, lb2 *netns.Host
	var node, peer *netns.Process

	BeforeEach(func() {
		pair = newPair()
		lb1, lb2 = pair.Host("lb1"), pair.Host("lb2")
		peer = startTalker(lb2)
		node = startTalker(lb1, "tcp:198.18.2.2:9000", "198.18.0.11:9000")
	})

	It("takes process, carrier and connections away, silently", func() {
		heard := listenRaw(lb2, netns.SyncSide)
		Expect(tcpSockets(lb1)).To(Equal(2), "listener and connection")
		receipt, err := pair.Crash(within(), node)
		Expect(err).NotTo(HaveOccurred())
		Expect(receipt).To(Equal(fmt.Sprintf(
			"process %d gone (killed by SIGKILL); carrier down on clients/lb1, backends/lb1, lb2/sync0", node.PID())))
		Expect(running(node.PID())).To(BeFalse())
		Expect(carries(pair.Host("clients"), "lb1")).To(BeFalse())
		Expect(carries(pair.Host("backends"), "lb1")).To(BeFalse())
		Expect(carries(lb2, netns.SyncSide)).To(BeFalse())
		Expect(tcpSockets(lb1)).To(BeZero(), "nothing retransmits for the dead process")
		Expect(heard()).To(BeEmpty(), "no FIN or RST on the cable")
		Expect(ping(pair.Host("client1"), "198.18.0.2")).To(Succeed(), "the others go on")
	})

	It("boots with its links and without its former state", func() {
		addAddress(lb1, netns.ClientSide, "198.18.0.100/32")
		link, err := lb1.Netlink().LinkByName(netns.BackendSide)
		Expect(err).NotTo(HaveOccurred())
		backend, _ := pair.Host("backend1").Interface("backends")
		Expect(lb1.Netlink().NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT,
			IP: backend.Addr.Addr().AsSlice(), HardwareAddr: backend.MAC})).To(Succeed())
		_, err = pair.Crash(within(), node)
		Expect(err).NotTo(HaveOccurred())

		var known []string
		again, receipt, err := pair.Restore(within(), "lb1", func(h *netns.Host) (*netns.Process, error) {
			known = neighbours(h)
			return h.Start(play("talk", &journal{}))
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(receipt).To(Equal(fmt.Sprintf(
			"carrier up on clients/lb1, backends/lb1, lb2/sync0; process %d started", again.PID())))
		Expect(known).NotTo(ContainElement("198.18.1.11"))
		addresses, err := lb1.Netlink().AddrList(nil, netlink.FAMILY_V4)
		Expect(err).NotTo(HaveOccurred())
		Expect(addresses).To(HaveLen(4), "loopback and one each")
		Eventually(func() error { return echo(pair.Host("client1"), "udp4", "198.18.0.1:9000") }).Should(Succeed())
		Expect(ping(pair.Host("backend1"), "198.18.1.1")).To(Succeed())
		Expect(ping(lb2, "198.18.2.1")).To(Succeed())
	})

	It("takes and gives the carrier of one port alone", func() {
		Expect(pair.SetPort(within(), "lb1", lab.Clients, false)).To(Equal("carrier down on clients/lb1"))
		Expect(carries(pair.Host("clients"), "lb1")).To(BeFalse())
		Expect(carries(lb2, netns.SyncSide)).To(BeTrue(), "the others stay")
		Expect(running(node.PID())).To(BeTrue())
		Expect(pair.SetPort(within(), "lb1", lab.Clients, true)).To(Equal("carrier up on clients/lb1"))
		Expect(ping(pair.Host("client1"), "198.18.0.1")).To(Succeed())
		By("a backend's default route comes back with its link")
		for _, up := range []bool{false, true} {
			_, err := pair.SetPort(within(), "backend1", lab.Backends, up)
			Expect(err).NotTo(HaveOccurred())
		}
		routes, err := pair.Host("backend1").Netlink().RouteList(nil, netlink.FAMILY_V4)
		Expect(err).NotTo(HaveOccurred())
		var gateways []string
		for _, r := range routes {
			gateways = append(gateways, r.Gw.String())
		}
		Expect(gateways).To(ContainElement("198.18.1.100"))
		_, err = pair.SetPort(within(), "backend1", lab.Sync, false)
		Expect(err).To(MatchError(ContainSubstring("backend1 has no interface on sync")))
	})

	It("takes a client's carrier at its switch, where its kernel keeps its routes", func() {
		client := pair.Host("client1")
		before, err := client.Netlink().RouteList(nil, netlink.FAMILY_V4)
		Expect(err).NotTo(HaveOccurred())
		Expect(pair.SetPort(within(), "client1", lab.Clients, false)).To(Equal("carrier down on client1/eth0"))
		Expect(carries(client, "eth0")).To(BeFalse())
		Expect(ping(pair.Host("client2"), "198.18.0.1")).To(Succeed(), "the other's stays")
		Expect(client.Netlink().RouteList(nil, netlink.FAMILY_V4)).To(HaveLen(len(before)))
		Expect(pair.SetPort(within(), "client1", lab.Clients, true)).To(Equal("carrier up on client1/eth0"))
		Expect(ping(client, "198.18.0.1")).To(Succeed())
	})

	It("returns before its peer does: a dead peer's end of the cable is not its receipt", func() {
		for _, process := range []*netns.Process{node, peer} {
			_, err := pair.Crash(within(), process)
			Expect(err).NotTo(HaveOccurred())
		}
		start := func(h *netns.Host) (*netns.Process, error) { return h.Start(play("talk", &journal{})) }
		_, receipt, err := pair.Restore(within(), "lb2", start)
		Expect(err).NotTo(HaveOccurred())
		Expect(receipt).To(HavePrefix("carrier up on clients/lb2, backends/lb2, lb1/sync0 (down itself); "))
		_, receipt, err = pair.Restore(within(), "lb1", start)
		Expect(err).NotTo(HaveOccurred())
		Expect(receipt).To(HavePrefix("carrier up on clients/lb1, backends/lb1, lb2/sync0; "))
		Expect(ping(lb1, "198.18.2.2")).To(Succeed())
	})

	It("only starts the process if the links are up", func() {
		Expect(ping(lb1, "198.18.1.11")).To(Succeed())
		_, err := pair.Kill(within(), node)
		Expect(err).NotTo(HaveOccurred())
		_, receipt, err := pair.Restore(within(), "lb1", func(h *netns.Host) (*netns.Process, error) {
			Expect(neighbours(h)).To(ContainElement("198.18.1.11"), "no reboot, no loss of neighbours")
			return h.Start(play("talk", &journal{}))
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(receipt).To(HavePrefix("links were up; process "))
	})

	It("has no receipt for a node that is dead already, or does not start", func() {
		_, err := pair.Crash(within(), node)
		Expect(err).NotTo(HaveOccurred())
		_, err = pair.Crash(within(), node)
		Expect(err).To(MatchError(netns.ErrNoReceipt))
		Expect(err).To(MatchError(ContainSubstring("no receipt: crash lb1: process %d has already ended (killed by SIGKILL)", node.PID())))
		_, err = pair.Kill(within(), node)
		Expect(err).To(MatchError(netns.ErrNoReceipt))
		_, err = pair.Stop(within(), node)
		Expect(err).To(MatchError(netns.ErrNoReceipt))
		_, _, err = pair.Restore(within(), "lb1", func(h *netns.Host) (*netns.Process, error) {
			return h.Start(netns.ProcessConfig{Args: []string{"/no/such/node"}})
		})
		Expect(err).To(MatchError(netns.ErrNoReceipt))
		_, _, err = pair.Restore(within(), "lb3", nil)
		Expect(err).To(MatchError(ContainSubstring("no such node")))
	})
})

var _ = Describe("faults of the process alone", func() {
	var pair *netns.Pair
	var node *netns.Process

	BeforeEach(func() {
		pair = newPair()
		node = startTalker(pair.Host("lb1"))
	})

	It("kill leaves the links", func() {
		Expect(pair.Kill(within(), node)).To(Equal(fmt.Sprintf("process %d gone (killed by SIGKILL)", node.PID())))
		Expect(running(node.PID())).To(BeFalse())
		Expect(carries(pair.Host("clients"), "lb1")).To(BeTrue())
	})

	It("stop waits for the process's own end", func() {
		Expect(pair.Stop(within(), node)).To(MatchRegexp(
			regexp.QuoteMeta(fmt.Sprintf("process %d ended ", node.PID())) + `.*s after SIGTERM \(exit status 0\)`))
	})

	It("stop has no receipt if the process does not end, and leaves it alive", func() {
		node = startReady(pair.Host("lb2"), "deaf")
		_, err := pair.Stop(briefly(), node)
		Expect(err).To(MatchError(netns.ErrNoReceipt))
		Expect(running(node.PID())).To(BeTrue())
	})

	It("freeze stops every thread, thaw continues them", func() {
		client := pair.Host("client1")
		Expect(pair.Freeze(within(), node)).To(MatchRegexp(`process \d+ stopped: \d+ threads in state T`))
		Expect(echo(client, "udp4", "198.18.0.1:9000")).To(MatchError(ContainSubstring("timeout")))
		Expect(pair.Thaw(within(), node)).To(MatchRegexp(`process \d+ continues: no thread in state T`))
		Eventually(func() error { return echo(client, "udp4", "198.18.0.1:9000") }).Should(Succeed())
	})

	It("freezes a shell that waits for a command between vfork and exec", func() {
		shell, err := pair.Host("lb2").Start(netns.ProcessConfig{Args: []string{"sh", "-c", "while :; do /bin/true; done"}, Ordinary: true})
		Expect(err).NotTo(HaveOccurred())
		for range 300 {
			Expect(pair.Freeze(within(), shell)).NotTo(BeEmpty())
			Expect(pair.Thaw(within(), shell)).NotTo(BeEmpty())
		}
		Expect(pair.Kill(within(), shell)).NotTo(BeEmpty())
	})

	It("kills a frozen process", func() {
		Expect(pair.Freeze(within(), node)).NotTo(BeEmpty())
		Expect(pair.Kill(within(), node)).NotTo(BeEmpty())
	})

	It("has no receipt for freezing what has ended", func() {
		Expect(pair.Kill(within(), node)).NotTo(BeEmpty())
		_, err := pair.Freeze(within(), node)
		Expect(err).To(MatchError(netns.ErrNoReceipt))
		_, err = pair.Thaw(within(), node)
		Expect(err).To(MatchError(netns.ErrNoReceipt))
	})

	It("throttles a process, which a freeze overrides, and stops throttling it", func() {
		client, at := pair.Host("client1"), "198.18.0.1:9000"
		Expect(node.Throttle(within(), 0.1, 4*time.Second)).To(MatchRegexp(`process \d+ stopped for 3.6s of each 4s: \d+ threads in state T`))
		_, err := node.Throttle(within(), 0.5, 400*time.Millisecond)
		Expect(err).To(MatchError(netns.ErrNoReceipt))
		Expect(echo(client, "udp4", at)).To(MatchError(ContainSubstring("timeout")), "while it rests")
		Eventually(func() error { return echo(client, "udp4", at) }, "5s").Should(Succeed(), "in its part of a period")
		Expect(pair.Freeze(within(), node)).NotTo(BeEmpty())
		Consistently(func() error { return echo(client, "udp4", at) }, "4s").ShouldNot(Succeed(), "frozen, for a whole period")
		Expect(pair.Thaw(within(), node)).NotTo(BeEmpty())
		Expect(node.Unthrottle(within())).To(MatchRegexp(`process \d+ runs all the time`))
		for range 20 {
			Expect(echo(client, "udp4", at)).To(Succeed())
		}
		_, err = node.Unthrottle(within())
		Expect(err).To(MatchError(netns.ErrNoReceipt))
	})

	It("limits the files that a process can open", func() {
		client := pair.Host("client1")
		var conns []net.Conn
		answered := func() bool {
			GinkgoHelper()
			var c net.Conn
			Expect(client.Do(func() (err error) { c, err = net.Dial("tcp4", "198.18.0.1:9000"); return err })).To(Succeed())
			conns = append(conns, c)
			Expect(c.SetDeadline(time.Now().Add(200 * time.Millisecond))).To(Succeed())
			_, _ = c.Write([]byte("x"))
			_, err := c.Read(make([]byte, 1))
			return err == nil
		}
		DeferCleanup(func() {
			for _, c := range conns {
				c.Close()
			}
		})
		Expect(answered()).To(BeTrue())
		Expect(node.LimitFiles(2)).To(MatchRegexp(`can open 2 more: RLIMIT_NOFILE is \d+`))
		Expect([]bool{answered(), answered(), answered()}).To(Equal([]bool{true, true, false}))
		Expect(node.Unlimit()).To(ContainSubstring("RLIMIT_NOFILE is"))
		Eventually(answered).Should(BeTrue())
	})

	It("limits a node's memory, and lifts the limit", func() {
		limit := func() string {
			GinkgoHelper()
			limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", node.PID()))
			Expect(err).NotTo(HaveOccurred())
			for line := range strings.Lines(string(limits)) {
				if of, ok := strings.CutPrefix(line, "Max data size"); ok {
					return strings.Fields(of)[0]
				}
			}
			return "none"
		}
		before := limit()
		receipt, err := node.LimitMemory(16 << 20)
		Expect(err).NotTo(HaveOccurred())
		Expect(limit()).NotTo(Equal(before))
		Expect(receipt).To(And(ContainSubstring("can have 16 more"), HaveSuffix("RLIMIT_DATA is "+limit())))
		Expect(node.Unlimit()).To(ContainSubstring("RLIMIT_DATA is " + before))
		Expect(limit()).To(Equal(before))
	})

	It("has no receipt for starving what has ended", func() {
		Expect(pair.Kill(within(), node)).NotTo(BeEmpty())
		_, err := node.Throttle(within(), 0.5, 100*time.Millisecond)
		Expect(err).To(MatchError(netns.ErrNoReceipt))
		_, err = node.LimitFiles(0)
		Expect(err).To(MatchError(netns.ErrNoReceipt))
		_, err = node.LimitMemory(1)
		Expect(err).To(MatchError(netns.ErrNoReceipt))
		_, err = node.Unlimit()
		Expect(err).To(MatchError(netns.ErrNoReceipt))
	})
})
