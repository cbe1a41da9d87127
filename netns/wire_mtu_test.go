package netns_test

import (
	"io"
	"net"
	"net/netip"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/netns"
	"baton/scenarios/lab"
	"baton/scenarios/link"
)

// transfer sends bytes over a new TCP connection from lb1 to lb2 on a link, and returns how
// many arrived in time.
func transfer(pair *netns.Pair, via string, f lab.Family, size int, limit time.Duration) (arrived int) {
	GinkgoHelper()
	there, _ := pair.Host("lb2").Interface(via)
	at := netip.AddrPortFrom(there.AddrOf(f), 9002)
	var in *net.TCPListener
	Expect(pair.Host("lb2").Do(func() (err error) { in, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at)); return err })).To(Succeed())
	defer in.Close()
	var out *net.TCPConn
	Expect(pair.Host("lb1").Do(func() (err error) { out, err = net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(at)); return err })).To(Succeed())
	defer out.Close()
	end, err := in.AcceptTCP()
	Expect(err).NotTo(HaveOccurred())
	defer end.Close()
	Expect(out.SetDeadline(time.Now().Add(limit))).To(Succeed())
	Expect(end.SetDeadline(time.Now().Add(limit))).To(Succeed())
	go func() {
		_, _ = out.Write(make([]byte, size))
		_ = out.CloseWrite()
	}()
	n, _ := io.Copy(io.Discard, end)
	return int(n)
}

var _ = Describe("a smaller MTU", func() {
	const size = 200_000
	var pair *netns.Pair
	on := lab.Selector{From: "lb1", To: "lb2", Both: true, Via: lab.Sync}
	BeforeEach(func() { pair = newPair() })

	It("drops what is longer in silence: a bulk transfer hangs, small packets pass", func() {
		_, err := pair.Impair(within(), on, "limit", link.Params{MTU: 1300}, 1)
		Expect(err).NotTo(HaveOccurred())
		Expect(transfer(pair, lab.Sync, lab.IPv4, size, 500*time.Millisecond)).To(Equal(0))
		Expect(transfer(pair, lab.Sync, lab.IPv4, 1000, 500*time.Millisecond)).To(Equal(1000))
	})

	It("told of by ICMP lets the sender send shorter ones", func() {
		_, err := pair.Impair(within(), on, "limit", link.Params{MTU: 1300, Tell: true}, 1)
		Expect(err).NotTo(HaveOccurred())
		Expect(transfer(pair, lab.Sync, lab.IPv4, size, patience)).To(Equal(size))
	})

	It("on a switch is told of too", func() {
		on := on
		on.Via = lab.Clients
		_, err := pair.Impair(within(), on, "limit", link.Params{MTU: 800, Tell: true}, 1)
		Expect(err).NotTo(HaveOccurred())
		Expect(transfer(pair, lab.Clients, lab.IPv4, size, patience)).To(Equal(size))
	})
})
