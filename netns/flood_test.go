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
)

// neighbour returns a host's neighbour entry for an address.
func neighbour(h *netns.Host, addr string) string {
	GinkgoHelper()
	entries, err := h.Netlink().NeighList(0, netlink.FAMILY_ALL)
	Expect(err).NotTo(HaveOccurred())
	for _, e := range entries {
		if e.IP.Equal(net.ParseIP(addr)) {
			return e.HardwareAddr.String()
		}
	}
	return ""
}

var _ = Describe("a flood", func() {
	var pair *netns.Pair
	BeforeEach(func() { pair = newPair() })

	DescribeTable("has its rate, its time and its kind, and no more",
		func(kind string, port uint16, only lab.Match) {
			lb1, _ := pair.Host("lb1").Interface(lab.Clients)
			on := lab.Selector{From: "client1", To: "lb1", Via: lab.Clients}
			if only.Opens {
				on.Only = lab.SYN
			}
			if port == lab.BFDPort {
				on.Only = lab.BFD
			}
			Expect(pair.Lose(within(), on, 1, 1)).NotTo(BeEmpty()) // drops and counts all of it
			f := netns.Flood{Kind: kind, From: "client1", To: netip.AddrPortFrom(lb1.Addr.Addr(), port),
				Victim: netip.MustParseAddr("198.18.0.12"), Rate: 2000, For: 300 * time.Millisecond}
			Expect(ping(pair.Host("client2"), "198.18.0.1")).To(Succeed())
			client, _ := pair.Host("client1").Interface(lab.Clients)
			Expect(pair.Host("client1").Netlink().NeighSet(&netlink.Neigh{LinkIndex: index(pair.Host("client1"), client.Name),
				State: netlink.NUD_PERMANENT, IP: net.ParseIP("198.18.0.1"), HardwareAddr: lb1.MAC})).To(Succeed())
			Expect(pair.StartFlood(within(), f)).To(Equal("the first packet has left"))
			Eventually(func() int { return counted(pair, on) }, patience).Should(BeNumerically(">=", 600))
			Consistently(func() int { return counted(pair, on) }, 50*time.Millisecond).Should(BeNumerically("<=", 602))
		},
		Entry("of SYN", fault.FloodSYN, uint16(80), lab.Match{Opens: true}),
		Entry("of RST", fault.FloodRST, uint16(80), lab.Match{}),
		Entry("of UDP", fault.FloodUDP, uint16(53), lab.Match{}),
		Entry("of BFD", fault.FloodBFD, uint16(lab.BFDPort), lab.Match{}),
	)

	It("of gratuitous ARP takes an address, but not from a host that is deaf", func() {
		c1, _ := pair.Host("client1").Interface(lab.Clients)
		lb1, _ := pair.Host("lb1").Interface(lab.Clients)
		for _, backend := range []string{"client2", "lb2"} {
			Expect(ping(pair.Host(backend), "198.18.0.1")).To(Succeed())
		}
		Expect(pair.SetDeaf("client2", true)).To(Equal("client2/eth0: drop_gratuitous_arp is 1"))
		f := netns.Flood{Kind: fault.FloodGARP, From: "client1", To: netip.AddrPortFrom(lb1.Addr.Addr(), 0), Rate: 100, For: 200 * time.Millisecond}
		Expect(pair.StartFlood(within(), f)).NotTo(BeEmpty())
		Eventually(func() string { return neighbour(pair.Host("lb2"), "198.18.0.1") }, patience).Should(Equal(c1.MAC.String()))
		Expect(neighbour(pair.Host("client2"), "198.18.0.1")).To(Equal(lb1.MAC.String()))
		Expect(pair.SetDeaf("client2", false)).NotTo(BeEmpty())
		Expect(pair.StartFlood(within(), f)).NotTo(BeEmpty())
		Eventually(func() string { return neighbour(pair.Host("client2"), "198.18.0.1") }, patience).Should(Equal(c1.MAC.String()))
	})

	It("ends with the pair", func() {
		f := netns.Flood{Kind: fault.FloodUDP, From: "client1", To: netip.MustParseAddrPort("198.18.0.1:9"), Rate: 10, For: time.Hour}
		Expect(pair.StartFlood(within(), f)).NotTo(BeEmpty())
	})
})

func index(h *netns.Host, name string) int {
	GinkgoHelper()
	device, err := h.Netlink().LinkByName(name)
	Expect(err).NotTo(HaveOccurred())
	return device.Attrs().Index
}

// counted returns how much a rule has dropped so far.
func counted(pair *netns.Pair, on lab.Selector) int {
	GinkgoHelper()
	drops, err := pair.Dropped(on)
	Expect(err).NotTo(HaveOccurred())
	return int(drops)
}
