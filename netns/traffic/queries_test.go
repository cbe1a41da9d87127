package traffic_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/trace"
	"baton/netns/traffic"
	"baton/scenarios/plan"
)

var _ = Describe("a service with affinity", func() {
	It("is told of for each client that another backend answers than before, and other services are not", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		kept := plan.Traffic{Name: "kept", Kind: plan.Connects, Proto: "udp", Service: "udp", Rate: 100}
		free := plan.Traffic{Name: "free", Kind: plan.Connects, Proto: "tcp", Service: "tcp", Rate: 100}
		cfg := n.config(r, kept, free)
		cfg.Services[1].Affinity = time.Minute
		g := start(ctx, cfg)
		Eventually(func() int { return lineOf(g, 0)().Opened }).Within(20 * time.Second).Should(BeNumerically(">=", 10))
		Expect(lineOf(g, 0)().Moved).To(BeZero())
		n.serveBy(1)
		Eventually(func() int { return lineOf(g, 0)().Moved }).Within(20 * time.Second).Should(Equal(1))
		stop(ctx, g)
		moved := r.traffic("kept", trace.TrafficMoved)
		Expect(moved).To(HaveLen(1))
		Expect(moved[0].Why).To(Equal("from backend1"))
		Expect(moved[0].Backend).To(Equal("backend2"))
		Expect(r.final("free").Moved).To(BeZero())
	}, SpecTimeout(time.Minute))
})

var _ = Describe("queries", func() {
	It("are answered once each, and fail while nobody answers", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		line := plan.Traffic{Name: "ask", Kind: plan.Connects, Proto: "udp", Service: "udp", Rate: 100}
		cfg := n.config(r, line)
		cfg.Timeouts = traffic.Timeouts{Connect: 2 * time.Second} // longer than a stall of the host
		g := start(ctx, cfg)
		Eventually(func() int { return lineOf(g, 0)().Opened }).Within(20 * time.Second).Should(BeNumerically(">=", 30))
		Expect(lineOf(g, 0)().Failed).To(BeZero())
		Expect(g.Freeze(n.backends[0].Name())).To(BeNumerically(">=", 2))
		Eventually(func() int { return lineOf(g, 0)().Failed }).Within(20 * time.Second).Should(BeNumerically(">=", 5))
		Expect(g.Thaw(n.backends[0].Name())).To(BeNumerically(">=", 2))
		before := lineOf(g, 0)().Opened
		Eventually(func() int { return lineOf(g, 0)().Opened }).Within(20 * time.Second).Should(BeNumerically(">=", before+30))
		stop(ctx, g)
		total := r.final("ask")
		Expect(total.Opened + total.Failed).To(Equal(int(total.Sent)))
		Expect(total.Received).To(BeEquivalentTo(total.Opened))
		ports := map[string]bool{}
		for _, failed := range r.traffic("ask", trace.TrafficFailed) {
			ports[failed.Tuple] = true
		}
		Expect(ports).To(HaveLen(total.Failed), "a port of its own each")
	}, SpecTimeout(time.Minute))
})
