package netns_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/netns"
	"baton/scenarios/lab"
	"baton/scenarios/link"
)

// travel sends datagrams from lb1 to lb2 on a link, one per millisecond, and returns the
// order of those that arrived and how long each took.
func travel(pair *netns.Pair, via string, count int) (order []int, took []time.Duration) {
	GinkgoHelper()
	there, _ := pair.Host("lb2").Interface(via)
	at := netip.AddrPortFrom(there.Addr.Addr(), 9001)
	var in, out *net.UDPConn
	Expect(pair.Host("lb2").Do(func() (err error) { in, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at)); return err })).To(Succeed())
	defer in.Close()
	Expect(pair.Host("lb1").Do(func() (err error) { out, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(at)); return err })).To(Succeed())
	defer out.Close()
	done := make(chan struct{})
	sent := make([]time.Time, count)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	go func() {
		defer close(done)
		pace := time.NewTicker(time.Millisecond)
		defer pace.Stop()
		for i := range count {
			select {
			case <-pace.C:
			case <-ctx.Done():
				return
			}
			sent[i] = time.Now()
			_, _ = out.Write(binary.BigEndian.AppendUint32(nil, uint32(i)))
		}
	}()
	buf := make([]byte, 64)
	type arrival struct {
		number int
		at     time.Time
	}
	var came []arrival
	for {
		_ = in.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := in.Read(buf)
		if err != nil {
			break
		}
		if n == 4 {
			came = append(came, arrival{int(binary.BigEndian.Uint32(buf)), time.Now()})
		}
	}
	<-done
	for _, a := range came {
		order, took = append(order, a.number), append(took, a.at.Sub(sent[a.number]))
	}
	return order, took
}

var _ = Describe("a wire", func() {
	var pair *netns.Pair
	on := lab.Selector{From: "lb1", To: "lb2"}
	BeforeEach(func() { pair = newPair() })

	DescribeTable("delays, and never by less than it is told",
		func(via string) {
			on := on
			on.Via = via
			travel(pair, via, 1) // resolves the neighbour: frames that waited for ARP may be overtaken
			Expect(pair.Impair(within(), on, "impair", link.Params{Delay: 10 * time.Millisecond}, 1)).To(Equal("lb1>lb2 on " + via + ": diverted over a wire"))
			order, took := travel(pair, via, 200)
			Expect(order).To(HaveLen(200))
			Expect(slices.IsSorted(order)).To(BeTrue())
			slices.Sort(took)
			Expect(took[0]).To(BeNumerically(">=", 10*time.Millisecond))
			Expect(took[100]).To(BeNumerically("<", 11*time.Millisecond))
			Expect(pair.Heal(&on)).To(MatchRegexp("healed: 20[0-9] frames diverted over a wire$")) // and ARP
			_, took = travel(pair, via, 20)
			slices.Sort(took)
			Expect(took[10]).To(BeNumerically("<", 5*time.Millisecond), "nothing is late after the heal")
		},
		Entry("on a switch", lab.Clients),
		Entry("on the cable", lab.Sync),
	)

	It("doubles, holds back and damages as many as it is told", func() {
		on := on
		on.Via = lab.Clients
		_, err := pair.Impair(within(), on, "impair", link.Params{Duplicate: 0.2}, 1)
		Expect(err).NotTo(HaveOccurred())
		order, _ := travel(pair, lab.Clients, 500)
		Expect(len(order)).To(BeNumerically("~", 600, 50))

		_, err = pair.Impair(within(), on, "impair", link.Params{Reorder: 0.2, HoldBack: 5 * time.Millisecond}, 1)
		Expect(err).NotTo(HaveOccurred())
		order, _ = travel(pair, lab.Clients, 500)
		Expect(order).To(HaveLen(500), "another impairment takes the place of the first")
		overtaken := 0
		for i := 1; i < len(order); i++ {
			if order[i] < order[i-1] {
				overtaken++
			}
		}
		Expect(overtaken).To(BeNumerically("~", 90, 45))

		By("the receiver's checksums find every damaged one")
		_, err = pair.Impair(within(), on, "impair", link.Params{Corrupt: 0.2}, 1)
		Expect(err).NotTo(HaveOccurred())
		order, _ = travel(pair, lab.Clients, 500)
		Expect(len(order)).To(BeNumerically("~", 400, 50))
		Expect(slices.IsSorted(order)).To(BeTrue())
	})

	It("carries nothing but the heartbeat if only that is impaired", func() {
		heartbeat := lab.Selector{From: "lb1", To: "lb2", Via: lab.Clients, Only: lab.BFD}
		_, err := pair.Impair(within(), heartbeat, "impair", link.Params{Delay: 100 * time.Millisecond}, 1)
		Expect(err).NotTo(HaveOccurred())
		_, took := travel(pair, lab.Clients, 20)
		slices.Sort(took)
		Expect(took[10]).To(BeNumerically("<", 50*time.Millisecond))
		Expect(shower(pair.Host("lb1"), pair.Host("lb2"), 10, 3784)).To(Succeed())
		Expect(pair.Heal(nil)).To(Equal("bfd lb1>lb2 on clients healed: 10 frames diverted over a wire"))
	})
})
