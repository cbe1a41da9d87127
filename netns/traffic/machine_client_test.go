package traffic_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/trace"
	"baton/netns/traffic"
	"baton/scenarios/plan"
)

var _ = Describe("a client", func() {
	load := func(n *network, r *recording) traffic.Config {
		idle := plan.Traffic{Name: "idle", Kind: plan.Flows, Proto: "udp", Service: "udp", Count: 50, Rate: 8000}
		return n.config(r, sessionsLine(10, 20*time.Millisecond), connectsLine(50), probeLine(), idle)
	}
	harmless := func(r *recording) {
		GinkgoHelper()
		for _, line := range []string{"web", "new", "probe", "idle"} {
			total := r.final(line)
			Expect(total.Lost+total.Failed+total.Moved+total.Corrupt).To(BeZero(), line)
			Expect(total.Sessions).To(BeZero(), line)
			for _, gap := range r.gaps(line) { // of a machine that is busy
				Expect(gap.To.Sub(gap.From)).To(BeNumerically("<", time.Second), line)
			}
		}
	}

	It("that has ended loses nothing, and begins anew", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, load(n, r))
		passes(g, 1, 20)
		Expect(g.Halt("client1")).To(BeNumerically(">=", 11))
		Expect(lineOf(g, 0)().Sessions).To(BeZero())
		sent := lineOf(g, 2)().Sent
		Expect(g.Serve("client1")).To(Equal(4))
		passes(g, 1, 20)
		Expect(lineOf(g, 2)().Sent).To(BeNumerically(">", sent))
		Expect(lineOf(g, 0)().Sessions).To(Equal(10))
		stop(ctx, g)
		harmless(r)
		Expect(r.final("web").Opened).To(Equal(20))
		Expect(r.traffic("web", trace.TrafficDone)).To(ContainElement(HaveField("Why", "its client ended")))
	}, SpecTimeout(time.Minute))

	It("that is told to stop ends in order, without a RST", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		rsts := watch(n)
		g := start(ctx, load(n, r))
		passes(g, 1, 20)
		Expect(g.Leave("client1")).To(Equal(4))
		Expect(g.Freeze("client1")).To(BeZero(), "nothing is left")
		stop(ctx, g)
		harmless(r)
		for _, done := range r.traffic("web", trace.TrafficDone) {
			Expect(done.Why).To(BeEmpty())
		}
		Expect(rsts()).To(BeEmpty())
	}, SpecTimeout(time.Minute))

	It("that was frozen leaves out what was meant for that time, and counts no wait", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, load(n, r))
		passes(g, 1, 20)
		Expect(g.Freeze("client1")).To(BeNumerically(">=", 11))
		sent, since := lineOf(g, 2)().Sent, time.Now()
		Eventually(func() time.Duration { return time.Since(since) }).Within(10 * time.Second).Should(BeNumerically(">", 3500*time.Millisecond))
		Expect(lineOf(g, 2)().Sent).To(Equal(sent), "nobody sends")
		Expect(g.Thaw("client1")).To(BeNumerically(">=", 11))
		passes(g, 1, 20)
		Expect(lineOf(g, 2)().Sent-sent).To(BeNumerically("<", 3000), "what was meant for 3.5 seconds is left out")
		stop(ctx, g)
		harmless(r)
		Expect(r.final("new").RTTMax).To(BeNumerically("<", 3000))
	}, SpecTimeout(time.Minute))

	It("that is frozen to the end breaks off", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, load(n, r))
		Expect(g.Freeze("client1")).To(BeNumerically(">=", 11))
		stop(ctx, g)
		harmless(r)
	}, SpecTimeout(time.Minute))
})
