package netns_test

import (
	"net"
	"net/netip"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"

	"baton/netns"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/link"
)

// addresses returns a host's addresses on a link, without link-local ones.
func addresses(h *netns.Host, on string) (all []string) {
	GinkgoHelper()
	i, _ := h.Interface(on)
	device, err := h.Netlink().LinkByName(i.Name)
	Expect(err).NotTo(HaveOccurred())
	list, err := h.Netlink().AddrList(device, netlink.FAMILY_ALL)
	Expect(err).NotTo(HaveOccurred())
	for _, a := range list {
		if !a.IP.IsLinkLocalUnicast() {
			all = append(all, a.IPNet.String())
		}
	}
	return all
}

// greet makes a host learn the hardware address of an interface's IPv6 address.
func greet(from *netns.Host, to netns.Interface) {
	GinkgoHelper()
	at := net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.AddrOf(lab.IPv6), 9))
	Expect(from.Do(func() error {
		conn, err := net.DialUDP("udp", nil, at)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte("hello"))
		return err
	})).To(Succeed())
	Eventually(func() string { return neighbour(from, at.IP.String()) }, patience).Should(Equal(to.MAC.String()))
}

var _ = Describe("a pair with IPv6", func() {
	const size = 200_000
	var pair *netns.Pair
	BeforeEach(func() { pair = newPairOf(lab.Topo{Clients: 2, Backends: 2, IPv6: true}) })

	It("has addresses at once, and again after a power failure", func() {
		Expect(transfer(pair, lab.Sync, lab.IPv6, 1000, patience)).To(Equal(1000))
		lb2 := pair.Host("lb2")
		want := map[string][]string{lab.Clients: {"198.18.0.2/24", "2001:2::2/64"}, lab.Backends: {"198.18.1.2/24", "2001:2:0:1::2/64"}, lab.Sync: {"198.18.2.2/30", "2001:2:0:2::2/64"}}
		for on, all := range want {
			Expect(addresses(lb2, on)).To(ConsistOf(all))
		}
		i, _ := lb2.Interface(lab.Clients)
		addAddress(lb2, i.Name, "2001:2::77/64")
		Expect(pair.Crash(within(), startTalker(lb2))).NotTo(BeEmpty())
		_, _, err := pair.Restore(within(), "lb2", func(h *netns.Host) (*netns.Process, error) { return h.Start(play("talk", &journal{})) })
		Expect(err).NotTo(HaveOccurred())
		for on, all := range want {
			Expect(addresses(lb2, on)).To(ConsistOf(all))
		}
		Expect(transfer(pair, lab.Clients, lab.IPv6, 1000, patience)).To(Equal(1000))
	})

	It("gives backends a default route of each family", func() {
		backend := pair.Host("backend1")
		for family, vip := range map[int]string{netlink.FAMILY_V4: "198.18.1.100", netlink.FAMILY_V6: "2001:2:0:1::100"} {
			routes, err := backend.Netlink().RouteListFiltered(family, &netlink.Route{Gw: netip.MustParseAddr(vip).AsSlice()}, netlink.RT_FILTER_GW)
			Expect(err).NotTo(HaveOccurred())
			Expect(routes).To(HaveLen(1))
		}
	})

	It("tells of a smaller MTU by ICMPv6", func() {
		on := lab.Selector{From: "lb1", To: "lb2", Both: true, Via: lab.Sync}
		_, err := pair.Impair(within(), on, "limit", link.Params{MTU: 1300, Tell: true}, 1)
		Expect(err).NotTo(HaveOccurred())
		Expect(transfer(pair, lab.Sync, lab.IPv6, size, patience)).To(Equal(size))
	})

	It("is flooded with datagrams that the kernel of their target takes", func() {
		lb1, _ := pair.Host("lb1").Interface(lab.Clients)
		at := netip.AddrPortFrom(lb1.AddrOf(lab.IPv6), 53)
		var in *net.UDPConn
		Expect(pair.Host("lb1").Do(func() (err error) { in, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)); return err })).To(Succeed())
		DeferCleanup(in.Close)
		f := netns.Flood{Kind: fault.FloodUDP, From: "client1", To: at, Rate: 100, For: 300 * time.Millisecond}
		Expect(pair.StartFlood(within(), f)).NotTo(BeEmpty())
		Expect(in.SetReadDeadline(time.Now().Add(patience))).To(Succeed())
		_, from, err := in.ReadFromUDPAddrPort(make([]byte, 100))
		Expect(err).NotTo(HaveOccurred())
		Expect(lab.IPv6.Subnet(lab.Clients).Contains(from.Addr())).To(BeTrue())
	})

	DescribeTable("is flooded with packets of a kind",
		func(kind string, only string) {
			lb1, _ := pair.Host("lb1").Interface(lab.Clients)
			on := lab.Selector{From: "client1", To: "lb1", Via: lab.Clients, Only: only}
			greet(pair.Host("client1"), lb1)
			Expect(pair.Lose(within(), on, 1, 1)).NotTo(BeEmpty())
			f := netns.Flood{Kind: kind, From: "client1", To: netip.AddrPortFrom(lb1.AddrOf(lab.IPv6), 80),
				Victim: netip.MustParseAddr("2001:2::12"), Rate: 2000, For: 300 * time.Millisecond}
			Expect(pair.StartFlood(within(), f)).To(Equal("the first packet has left"))
			Eventually(func() int { return counted(pair, on) }, patience).Should(BeNumerically(">=", 600))
		},
		Entry("of SYN", fault.FloodSYN, lab.SYN),
		Entry("of RST", fault.FloodRST, ""),
		Entry("of UDP", fault.FloodUDP, ""),
	)

	It("believes unsolicited advertisements, but not at a host that is deaf", func() {
		c1, _ := pair.Host("client1").Interface(lab.Clients)
		lb1, _ := pair.Host("lb1").Interface(lab.Clients)
		for _, host := range []string{"client2", "lb2"} {
			greet(pair.Host(host), lb1)
		}
		Expect(pair.SetDeaf("client2", true)).To(Equal("client2/eth0: drop_gratuitous_arp is 1, client2/eth0: drop_unsolicited_na is 1"))
		f := netns.Flood{Kind: fault.FloodGARP, From: "client1", To: netip.AddrPortFrom(lb1.AddrOf(lab.IPv6), 0), Rate: 100, For: 200 * time.Millisecond}
		Expect(pair.StartFlood(within(), f)).NotTo(BeEmpty())
		Eventually(func() string { return neighbour(pair.Host("lb2"), "2001:2::1") }, patience).Should(Equal(c1.MAC.String()))
		Expect(neighbour(pair.Host("client2"), "2001:2::1")).To(Equal(lb1.MAC.String()))
	})
})
