package traffic_test

import (
	"fmt"
	"net"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

var _ = Describe("connects", func() {
	for _, c := range []struct {
		closer string
		ports  int
	}{{plan.CloseServer, 0}, {plan.CloseReset, 0}, {plan.CloseServer, 1}, {plan.CloseReset, 1}, {plan.CloseServer, 8}} {
		It(fmt.Sprintf("that %q closes first, from %d ports", c.closer, c.ports), func(ctx SpecContext) {
			n, r := newNetwork(), &recording{}
			rsts := watch(n)
			line := connectsLine(100)
			line.Closer, line.Ports = c.closer, c.ports
			g := start(ctx, n.config(r, line))
			Eventually(func() uint64 { return lineOf(g, 0)().Received }).Within(20 * time.Second).Should(BeNumerically(">=", 60))
			stop(ctx, g)
			total, seen := r.final("new"), rsts()
			Expect(total.Failed+total.Corrupt).To(BeZero(), "%+v", total)
			if c.closer == plan.CloseReset {
				Expect(len(seen)).To(BeNumerically(">=", total.Opened), "one of each")
			} else {
				Expect(seen).To(BeEmpty())
			}
			sources := map[string]bool{}
			for _, e := range seen {
				sources[e.RST.Tuple.Src.String()+fmt.Sprint(e.RST.Tuple.SrcPort)] = true
			}
			if c.ports > 0 && c.closer == plan.CloseReset {
				Expect(sources).To(HaveLen(c.ports))
			}
		}, SpecTimeout(time.Minute))
	}

	It("for which this machine has no port did not begin, and did not fail", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		line := connectsLine(100)
		line.Closer, line.Ports = plan.CloseReset, 2
		var other net.Listener // has one of the two ports
		Expect(n.client.Do(func() (err error) {
			other, err = net.Listen("tcp4", fmt.Sprint(":", plan.OwnPort(0, 1)))
			return err
		})).To(Succeed())
		DeferCleanup(other.Close)
		g := start(ctx, n.config(r, line))
		Eventually(func() uint64 { return lineOf(g, 0)().Unstarted }).Within(20 * time.Second).Should(BeNumerically(">=", 20))
		stop(ctx, g)
		total := r.final("new")
		Expect(total.Failed).To(BeZero(), "%+v", total)
		Expect(total.Sent).NotTo(BeZero(), "%+v", total)
		Expect(total.Meant).To(BeNumerically(">=", total.Unstarted+total.Sent), "%+v", total)
		Expect(r.traffic("new", trace.TrafficFailed)).To(BeEmpty())
	}, SpecTimeout(time.Minute))

	It("whose port is not answered give it up, and take it again", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		line := connectsLine(100)
		line.Closer, line.Ports = plan.CloseServer, 2
		cfg := n.config(r, line)
		cfg.Timeouts.Connect = 300 * time.Millisecond
		g := start(ctx, cfg)
		Eventually(func() uint64 { return lineOf(g, 0)().Received }).Within(20 * time.Second).Should(BeNumerically(">=", 10))
		Expect(g.Freeze(n.backends[0].Name())).To(BeNumerically(">=", 2))
		// Two at a time, each for 0.3 s.
		Eventually(func() int { return lineOf(g, 0)().Failed }).Within(10 * time.Second).Should(BeNumerically(">=", 4))
		Expect(g.Thaw(n.backends[0].Name())).To(BeNumerically(">=", 2))
		before := lineOf(g, 0)().Received
		Eventually(func() uint64 { return lineOf(g, 0)().Received }).Within(20 * time.Second).Should(BeNumerically(">=", before+10))
		stop(ctx, g)
	}, SpecTimeout(time.Minute))
})
