package netns_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	tcx "github.com/cilium/ebpf/link"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"baton/netns"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/link"
)

// listenRaw starts to capture the IPv4 frames that arrive at an interface, and returns a
// function that returns those captured so far.
func listenRaw(h *netns.Host, name string) func() [][]byte {
	GinkgoHelper()
	link, err := h.Netlink().LinkByName(name)
	Expect(err).NotTo(HaveOccurred())
	const ipv4 = unix.ETH_P_IP>>8 | unix.ETH_P_IP&0xff<<8 // in network byte order
	var fd int
	Expect(h.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, ipv4)
		if err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index, Protocol: ipv4})
	})).To(Succeed())
	DeferCleanup(unix.Close, fd)
	return func() (frames [][]byte) {
		for {
			frame := make([]byte, 2048)
			n, err := unix.Read(fd, frame)
			if err != nil {
				return frames
			}
			frames = append(frames, frame[:n])
		}
	}
}

// mailbox is a UDP socket in a host.
func mailbox(h *netns.Host) *net.UDPConn {
	GinkgoHelper()
	var conn *net.UDPConn
	Expect(h.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 7000})
		return err
	})).To(Succeed())
	DeferCleanup(conn.Close)
	return conn
}

// letters numbers the messages of mailboxes, to tell a late one from a new one.
var letters int

// arrives reports whether a datagram from one mailbox reaches the other in time.
func arrives(limit time.Duration, from, to *net.UDPConn, address string) bool {
	GinkgoHelper()
	letters++
	letter := fmt.Sprintf("letter %d", letters)
	for range 3 {
		_, err := from.WriteTo([]byte(letter), &net.UDPAddr{IP: net.ParseIP(address), Port: 7000})
		Expect(err).NotTo(HaveOccurred())
	}
	Expect(to.SetReadDeadline(time.Now().Add(limit))).To(Succeed())
	buf := make([]byte, 64)
	for {
		n, _, err := to.ReadFrom(buf)
		if err != nil {
			return false
		}
		if string(buf[:n]) == letter {
			return true
		}
	}
}

func passes(from, to *net.UDPConn, address string) bool {
	GinkgoHelper()
	return arrives(patience, from, to, address)
}

// meet waits until datagrams pass: the first ones wait for ARP, and are lost if its requests are.
func meet(from, to *net.UDPConn, address string) {
	GinkgoHelper()
	Eventually(func() bool { return arrives(time.Second, from, to, address) }).WithTimeout(patience).Should(BeTrue(), "to %s", address)
}

// blocked waits only briefly: on a veth the sender's thread delivers a frame into the
// receiver's socket.
func blocked(from, to *net.UDPConn, address string) bool {
	GinkgoHelper()
	return !arrives(30*time.Millisecond, from, to, address)
}

// drops adds up the numbers of dropped frames in a receipt.
func drops(receipt string) (sum int) {
	for _, m := range regexp.MustCompile(`(\d+) (?:frames )?dropped`).FindAllStringSubmatch(receipt, -1) {
		n, _ := strconv.Atoi(m[1])
		sum += n
	}
	return sum
}

var _ = Describe("cut and heal", func() {
	var pair *netns.Pair
	var lb1, lb2 *netns.Host
	var box1, box2 *net.UDPConn

	// The talkers act as BFD: both nodes send all the time on the client side and on the
	// cable, and nothing on the backend side.
	BeforeEach(func() {
		pair = newPair()
		lb1, lb2 = pair.Host("lb1"), pair.Host("lb2")
		startTalker(lb1, "198.18.0.2:9000", "198.18.2.2:9000")
		startTalker(lb2, "198.18.0.1:9000", "198.18.2.1:9000")
		box1, box2 = mailbox(lb1), mailbox(lb2)
		for _, address := range []string{"198.18.0.2", "198.18.2.2"} {
			meet(box1, box2, address)
		}
		for _, address := range []string{"198.18.0.1", "198.18.2.1"} {
			meet(box2, box1, address)
		}
	})

	DescribeTable("drops one way and passes the other",
		func(via, toLB2, toLB1, otherToLB2 string) {
			cut := lab.Selector{From: "lb1", To: "lb2", Via: via}
			receipt, err := pair.Cut(within(), cut)
			Expect(err).NotTo(HaveOccurred())
			Expect(receipt).To(MatchRegexp(`^lb1>lb2 on ` + via + `: [1-9]\d* dropped$`))
			Expect(blocked(box1, box2, toLB2)).To(BeTrue())
			Expect(passes(box2, box1, toLB1)).To(BeTrue())
			Expect(passes(box1, box2, otherToLB2)).To(BeTrue(), "by the link that is not cut")
			receipt, err = pair.Heal(&cut)
			Expect(err).NotTo(HaveOccurred())
			Expect(receipt).To(MatchRegexp(`^lb1>lb2 on ` + via + ` healed: [1-9]\d* frames dropped$`))
			Expect(passes(box1, box2, toLB2)).To(BeTrue())
		},
		Entry("on a switch", lab.Clients, "198.18.0.2", "198.18.0.1", "198.18.2.2"),
		Entry("on the cable", lab.Sync, "198.18.2.2", "198.18.2.1", "198.18.0.2"),
	)

	It("drops both ways on every link that joins the two", func() {
		receipt, err := pair.Cut(within(), lab.Selector{From: "lb1", To: "lb2", Both: true})
		Expect(err).NotTo(HaveOccurred())
		for _, rule := range []string{"lb1>lb2 on clients", "lb1>lb2 on backends", "lb1>lb2 on sync",
			"lb2>lb1 on clients", "lb2>lb1 on backends", "lb2>lb1 on sync"} {
			Expect(receipt).To(ContainSubstring(rule))
		}
		Expect(blocked(box1, box2, "198.18.0.2")).To(BeTrue())
		Expect(blocked(box1, box2, "198.18.2.2")).To(BeTrue())
		Expect(blocked(box2, box1, "198.18.0.1")).To(BeTrue())
		Expect(blocked(box2, box1, "198.18.2.1")).To(BeTrue())
		Expect(ping(pair.Host("client1"), "198.18.0.1")).To(Succeed(), "clients reach both")
		Expect(ping(pair.Host("client1"), "198.18.0.2")).To(Succeed())
		receipt, err = pair.Heal(nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(drops(receipt)).To(BeNumerically(">", 0))
		Expect(passes(box2, box1, "198.18.2.1")).To(BeTrue())
	})

	It("cuts a group off, and combined cuts heal one by one", func() {
		clients := startTalker(pair.Host("client1"), "198.18.0.1:9000")
		_, err := pair.Cut(within(), lab.Selector{From: lab.Clients, To: "lb1"})
		Expect(err).NotTo(HaveOccurred())
		sync := lab.Selector{From: "lb2", To: "lb1", Via: lab.Sync}
		_, err = pair.Cut(within(), sync)
		Expect(err).NotTo(HaveOccurred())
		for _, client := range []string{"client1", "client2"} {
			Expect(unreachable(pair.Host(client), "198.18.0.1")).To(BeTrue())
			Expect(ping(pair.Host(client), "198.18.0.2")).To(Succeed())
		}
		Expect(pair.Heal(&lab.Selector{From: lab.Clients, To: "lb1"})).To(ContainSubstring("client2>lb1 on clients healed: "))
		Expect(ping(pair.Host("client2"), "198.18.0.1")).To(Succeed())
		Expect(blocked(box2, box1, "198.18.2.1")).To(BeTrue(), "the other cut holds")
		Expect(pair.Heal(&sync)).NotTo(BeEmpty())
		Expect(passes(box2, box1, "198.18.2.1")).To(BeTrue())
		Expect(pair.Kill(within(), clients)).NotTo(BeEmpty())
	})

	It("proves itself where nobody sends, by a frame that only it drops", func() {
		client := mailbox(pair.Host("client1"))
		Expect(passes(client, box1, "198.18.0.1")).To(BeTrue(), "and ARP is answered for a while")
		cut := lab.Selector{From: "client1", To: "lb1"}
		for range 2 { // what is cut already proves itself again
			Expect(pair.Cut(within(), cut)).To(Equal("client1>lb1 on clients: 1 dropped"))
		}
		Expect(blocked(client, box1, "198.18.0.1")).To(BeTrue())
		Expect(pair.Heal(&cut)).To(Equal("client1>lb1 on clients healed: 5 frames dropped"))
	})

	It("of the heartbeat drops BFD packets alone, and proves itself where none is sent", func() {
		bfd := lab.Selector{From: "lb1", To: "lb2", Only: lab.BFD, Via: lab.Clients}
		Expect(pair.Cut(within(), bfd)).To(Equal("bfd lb1>lb2 on clients: 1 dropped"))
		Expect(passes(box1, box2, "198.18.0.2")).To(BeTrue(), "other packets pass")
		Expect(shower(lb1, lb2, 100, 3784)).To(Succeed())
		whole := lab.Selector{From: "lb1", To: "lb2", Via: lab.Clients}
		Expect(pair.Heal(&whole)).To(Equal("bfd lb1>lb2 on clients healed: 101 frames dropped"), "a heal of everything covers it")
	})

	It("loses the share that is asked for, and another under another seed", func() {
		const frames = 100_000
		on := lab.Selector{From: "lb1", To: "lb2", Via: lab.Clients}
		counts := map[int]bool{}
		for _, seed := range []uint64{1, 2} {
			Expect(pair.Lose(within(), on, 0.05, seed)).To(Equal("lb1>lb2 on clients: loses 0.05"))
			Expect(shower(lb1, lb2, frames, 9)).To(Succeed())
			receipt, err := pair.Heal(&on)
			Expect(err).NotTo(HaveOccurred())
			Expect(drops(receipt)).To(BeNumerically("~", frames*5/100, frames*5/1000))
			counts[drops(receipt)] = true
		}
		Expect(counts).To(HaveLen(2))
	})

	// A cut sits on the cable's far end, a delay on its near end.
	It("proves itself behind a delay that holds frames for longer than a proof may take", func() {
		on := lab.Selector{From: "lb1", To: "lb2", Via: lab.Sync}
		for _, verb := range []string{fault.Delay, fault.Lose} {
			_, err := pair.Impair(within(), on, verb, link.Params{Delay: time.Minute, Loss: 0.5}, 1)
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(pair.Cut(within(), on)).To(Equal("lb1>lb2 on sync: 1 dropped"))
	})

	It("proves itself where an earlier loss takes nearly all frames, and is the one that drops them", func() {
		on := lab.Selector{From: "client1", To: "lb1"}
		Expect(pair.Lose(within(), on, 0.999999, 1)).NotTo(BeEmpty())
		Expect(pair.Cut(within(), on)).To(Equal("client1>lb1 on clients: 1 dropped"))
	})

	It("is proven by an earlier cut that drops its packets, and holds alone once that one is healed", func() {
		client := mailbox(pair.Host("client1"))
		Expect(passes(client, box1, "198.18.0.1")).To(BeTrue())
		all, udp := lab.Selector{From: "client1", To: "lb1"}, lab.Selector{From: "client1", To: "lb1", Only: lab.BFD}
		Expect(pair.Cut(within(), all)).To(Equal("client1>lb1 on clients: 1 dropped"))
		Expect(pair.Cut(within(), udp)).To(Equal("bfd client1>lb1 on clients: 1 dropped by the cut of client1>lb1 on clients"))
		Expect(pair.Losses(nil)).To(BeEmpty(), "test frames are no losses")
		Expect(pair.Heal(&udp)).To(Equal("bfd client1>lb1 on clients healed: 0 frames dropped"))
		Expect(pair.Cut(within(), udp)).NotTo(BeEmpty())
	})

	It("is not proven by an earlier cut of other packets", func() {
		arp, bfd := lab.Selector{From: "client1", To: "lb1", Only: lab.ARP}, lab.Selector{From: "client1", To: "lb1", Only: lab.BFD}
		Expect(pair.Cut(within(), arp)).To(Equal("arp client1>lb1 on clients: 1 dropped"))
		Expect(pair.Cut(within(), bfd)).To(Equal("bfd client1>lb1 on clients: 1 dropped"))
	})

	It("is proven by its program where a link is down, and no frame can cross", func() {
		device, err := lb2.Netlink().LinkByName(netns.ClientSide)
		Expect(err).NotTo(HaveOccurred())
		Expect(lb2.Netlink().LinkSetDown(device)).To(Succeed())
		receipt, err := pair.Cut(within(), lab.Selector{From: "lb1", To: "lb2", Both: true, Via: lab.Clients})
		Expect(err).NotTo(HaveOccurred())
		Expect(receipt).To(Equal("lb1>lb2 on clients: the link is down, the program is attached, lb2>lb1 on clients: the link is down, the program is attached"))
	})

	It("has no receipt for healing what is not cut", func() {
		_, err := pair.Heal(nil)
		Expect(err).To(MatchError(netns.ErrNoReceipt))
		_, err = pair.Cut(within(), lab.Selector{From: "lb1", To: "lb2", Via: lab.Sync})
		Expect(err).NotTo(HaveOccurred())
		_, err = pair.Heal(&lab.Selector{From: "lb2", To: "lb1", Via: lab.Sync})
		Expect(err).To(MatchError(netns.ErrNoReceipt))
	})

	It("refuses what no link joins, and unknown hosts", func() {
		_, err := pair.Cut(within(), lab.Selector{From: "client1", To: "backend1"})
		Expect(err).To(MatchError(ContainSubstring("joins them")))
		_, err = pair.Cut(within(), lab.Selector{From: "client1", To: "lb1", Via: lab.Sync})
		Expect(err).To(MatchError(ContainSubstring("joins them")))
		_, err = pair.Cut(within(), lab.Selector{From: "client9", To: "lb1"})
		Expect(err).To(MatchError(ContainSubstring(`no host or group "client9"`)))
	})

	It("comes before the programs that are attached to the cable already", func() {
		seen := countIngress(lb2, netns.SyncSide)
		Eventually(seen).Should(BeNumerically(">", 0))
		_, err := pair.Cut(within(), lab.Selector{From: "lb1", To: "lb2", Via: lab.Sync})
		Expect(err).NotTo(HaveOccurred())
		before := seen()
		Expect(blocked(box1, box2, "198.18.2.2")).To(BeTrue())
		Expect(seen()).To(Equal(before))
	})
})

// countIngress attaches a tcx program that counts frames, as a dataplane would.
func countIngress(h *netns.Host, name string) func() uint64 {
	GinkgoHelper()
	counter, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(counter.Close)
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "Apache-2.0", Instructions: asm.Instructions{
		asm.LoadMapValue(asm.R1, counter.FD(), 0),
		asm.Mov.Imm(asm.R2, 1),
		asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
		asm.Mov.Imm(asm.R0, -1),
		asm.Return(),
	}})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(program.Close)
	Expect(h.Do(func() error {
		i, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		attached, err := tcx.AttachTCX(tcx.TCXOptions{Interface: i.Index, Program: program, Attach: ebpf.AttachTCXIngress})
		if err != nil {
			return fmt.Errorf("attach: %w", err)
		}
		DeferCleanup(attached.Close)
		return nil
	})).To(Succeed())
	return func() (n uint64) {
		Expect(counter.Lookup(uint32(0), &n)).To(Succeed())
		return n
	}
}

// shower sends UDP datagrams to another node's port as fast as the socket takes them.
func shower(from, to *netns.Host, count int, port uint16) error {
	there, _ := to.Interface(lab.Clients)
	var conn *net.UDPConn
	if err := from.Do(func() (err error) {
		conn, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(there.Addr.Addr(), port)))
		return err
	}); err != nil {
		return err
	}
	defer conn.Close()
	for range count {
		if _, err := conn.Write([]byte("x")); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
			return err
		}
	}
	return nil
}
