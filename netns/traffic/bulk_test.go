package traffic_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

func bulkLine(up, half bool) plan.Traffic {
	return plan.Traffic{Name: "copy", Kind: plan.Bulk, Proto: "tcp", Service: "tcp", Count: 3, Size: 400_000, Rate: 16_000_000, Up: up, Half: half}
}

var _ = Describe("bulk transfers", func() {
	for _, way := range []struct{ up, half bool }{{true, false}, {true, true}, {false, false}, {false, true}} {
		It(fmt.Sprintf("arrive whole and keep their rate: up %v, half-closed %v", way.up, way.half), func(ctx SpecContext) {
			n, r := newNetwork(), &recording{}
			rsts := watch(n)
			g := start(ctx, n.config(r, bulkLine(way.up, way.half)))
			Eventually(func() uint64 { return lineOf(g, 0)().Received }).Within(10 * time.Second).Should(BeNumerically(">=", 9))
			stop(ctx, g)
			total := r.final("copy")
			Expect(total.Lost+total.Corrupt+total.Sessions).To(BeZero(), "%+v", total)
			Expect(total.Bytes).To(Equal(total.Received * 400_000))
			Expect(total.RTTp50).To(BeNumerically(">=", 180), "400 kB at 2 MB/s, whose last portion comes 10 ms early at most")
			Expect(rsts()).To(BeEmpty())
		}, SpecTimeout(time.Minute))
	}

	It("that a backend's end cuts short are counted, and those of its return are whole", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		line := bulkLine(false, false)
		line.Size = 2_000_000 // a second each, so that some are under way
		g := start(ctx, n.config(r, line))
		Eventually(func() uint64 { return lineOf(g, 0)().Sent }).Within(10 * time.Second).Should(BeNumerically(">=", 6))
		Expect(g.Halt(n.backends[0].Name())).To(BeNumerically(">=", 2))
		Eventually(func() int { return lineOf(g, 0)().Lost }).Within(10 * time.Second).Should(BeNumerically(">=", 3))
		Expect(g.Serve(n.backends[0].Name())).To(Equal(2))
		before := lineOf(g, 0)().Received
		Eventually(func() uint64 { return lineOf(g, 0)().Received }).Within(10 * time.Second).Should(BeNumerically(">=", before+3))
		stop(ctx, g)
		Expect(r.traffic("copy", trace.TrafficLost)).To(ContainElement(HaveField("Why", "closed by the other end before its last byte")))
		Expect(len(r.traffic("copy", trace.TrafficLost))).To(Equal(r.final("copy").Lost))
		Expect(r.final("copy").Corrupt).To(BeZero())
	}, SpecTimeout(time.Minute))

	It("go on after their client stood still", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, n.config(r, bulkLine(false, true)))
		Eventually(func() uint64 { return lineOf(g, 0)().Received }).Within(10 * time.Second).Should(BeNumerically(">=", 3))
		_, err := g.Freeze("client1") // of no socket, if it is between two transfers
		Expect(err).NotTo(HaveOccurred())
		_, err = g.Thaw("client1")
		Expect(err).NotTo(HaveOccurred())
		before := lineOf(g, 0)().Received
		Eventually(func() uint64 { return lineOf(g, 0)().Received }).Within(10 * time.Second).Should(BeNumerically(">=", before+3))
		_, err = g.Halt("client1")
		Expect(err).NotTo(HaveOccurred())
		stop(ctx, g)
		Expect(r.final("copy").Lost).To(BeZero())
	}, SpecTimeout(time.Minute))
})
