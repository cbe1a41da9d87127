package traffic_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/trace"
	"baton/netns/traffic"
	"baton/scenarios/plan"
)

// overSCTP adds an SCTP service and directs the lines to it.
func overSCTP(n *network, r *recording, lines ...plan.Traffic) traffic.Config {
	for i := range lines {
		lines[i].Proto, lines[i].Service = plan.SCTP, plan.SCTP
	}
	cfg := n.config(r, lines...)
	cfg.Services = []plan.Service{{Name: plan.SCTP, Proto: plan.SCTP, VIP: vip, Port: service}}
	return cfg
}

var _ = Describe("associations", func() {
	It("echo numbered messages, and end without an ABORT", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		rsts := watch(n)
		g := start(ctx, overSCTP(n, r, sessionsLine(20, 20*time.Millisecond), connectsLine(50)))
		passes(g, 0, 500)
		passes(g, 1, 50)
		g.Stop(ctx)
		Expect(rsts()).To(BeEmpty())
		g.Close()
		web, brief := r.final("web"), r.final("new")
		Expect(web).To(And(HaveField("Opened", 20), HaveField("Lost", 0), HaveField("Failed", 0), HaveField("Corrupt", 0), HaveField("Received", web.Sent)))
		Expect(brief).To(And(HaveField("Opened", BeNumerically(">=", 50)), HaveField("Failed", 0), HaveField("Corrupt", 0)))
		Expect(r.traffic("web", trace.TrafficOpened)).To(And(HaveLen(20), HaveEach(And(HaveField("Backend", "backend1"), HaveField("Tuple", HavePrefix("sctp 198.18.0.11:"))))))
	}, SpecTimeout(time.Minute))

	It("are aborted by a backend that does not know them, and each is lost with that reason", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		rsts := watch(n)
		g := start(ctx, overSCTP(n, r, sessionsLine(20, 20*time.Millisecond)))
		n.serveBy(1)
		Eventually(lineOf(g, 0)).Within(10 * time.Second).Should(HaveField("Lost", 20))
		g.Stop(ctx)
		captured := rsts()
		g.Close()
		Expect(r.traffic("web", trace.TrafficLost)).To(And(HaveLen(20), HaveEach(And(HaveField("Why", "connection reset by peer"), HaveField("Backend", "backend1")))))
		flows := map[string]bool{}
		for _, e := range captured {
			if e.RST.Sender == "backend2" { // the client has forgotten them too, and aborts on a late SACK of backend1
				flows[e.RST.Flow] = true
			}
		}
		Expect(flows).To(HaveLen(20))
	}, SpecTimeout(time.Minute))

	It("wait while their backend is frozen, and are answered once it is thawed", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, overSCTP(n, r, sessionsLine(10, 20*time.Millisecond)))
		passes(g, 0, 100)
		name := n.backends[0].Name()
		Expect(g.Freeze(name)).To(Equal(11), "one that listens, ten associations")
		Eventually(func() uint64 {
			before := lineOf(g, 0)().Received
			passes(g, 0, 20)
			return lineOf(g, 0)().Received - before
		}).Should(BeZero(), "messages are sent and none is answered")
		Expect(g.Thaw(name)).To(Equal(11))
		passes(g, 0, 100)
		stop(ctx, g)
		total := r.final("web")
		Expect(total.Received).To(Equal(total.Sent))
		Expect(total.Lost).To(BeZero())
	}, SpecTimeout(time.Minute))

	It("end with the programs of their backend, which refuses others until it serves again", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		rsts := watch(n)
		g := start(ctx, overSCTP(n, r, sessionsLine(10, 20*time.Millisecond), connectsLine(50)))
		name := n.backends[0].Name()
		passes(g, 1, 20)
		Expect(g.Halt(name)).To(BeNumerically(">=", 11))
		Eventually(func() int { return lineOf(g, 0)().Lost }).Within(5 * time.Second).Should(Equal(10))
		Eventually(func() int { return lineOf(g, 1)().Failed }).Within(5 * time.Second).Should(BeNumerically(">", 5))
		Expect(r.traffic("web", trace.TrafficLost)).To(HaveEach(HaveField("Why", "closed by the other end")))
		Expect(r.traffic("new", trace.TrafficFailed)).To(ContainElement(HaveField("Why", "connection refused")))
		Expect(g.Serve(name)).To(Equal(1))
		failed := lineOf(g, 1)().Failed
		passes(g, 1, 50)
		Expect(lineOf(g, 1)().Failed-failed).To(BeNumerically("<", 5), "those that were under way")
		stop(ctx, g)
		Expect(rsts()).NotTo(BeEmpty())
	}, SpecTimeout(time.Minute))

	It("are forgotten without a word by a backend that loses its power", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		rsts := watch(n)
		cfg := overSCTP(n, r, sessionsLine(10, 20*time.Millisecond))
		g := start(ctx, cfg)
		passes(g, 0, 50)
		name := n.backends[0].Name()
		_, err := g.Freeze(name)
		Expect(err).NotTo(HaveOccurred())
		g.Forget(name)
		Eventually(func() int { return lineOf(g, 0)().Lost }).Within(5*time.Second).Should(Equal(10), "the next message finds nothing")
		g.Stop(ctx)
		captured := rsts()
		g.Close()
		Expect(r.traffic("web", trace.TrafficLost)).To(HaveEach(HaveField("Why", "connection reset by peer")))
		Expect(captured).To(HaveLen(10))
	}, SpecTimeout(time.Minute))

	for _, c := range []struct {
		closer string
		ports  int
		count  uint64
	}{{plan.CloseServer, 0, 60}, {plan.CloseReset, 0, 60}, {"", 1, 20}, {plan.CloseServer, 4, 60}, {plan.CloseReset, 4, 60}} { // a port is free again after 0.2 s
		It(fmt.Sprintf("that %q closes first, from %d ports", c.closer, c.ports), func(ctx SpecContext) {
			n, r := newNetwork(), &recording{}
			rsts := watch(n)
			line := connectsLine(100)
			line.Closer, line.Ports = c.closer, c.ports
			g := start(ctx, overSCTP(n, r, line))
			Eventually(func() uint64 { return lineOf(g, 0)().Received }).Within(20 * time.Second).Should(BeNumerically(">=", c.count))
			g.Stop(ctx)
			total, seen := lineOf(g, 0)(), rsts()
			g.Close()
			Expect(total.Failed+total.Corrupt).To(BeZero(), "%+v", total)
			if c.closer == plan.CloseReset {
				Expect(len(seen)).To(BeNumerically(">=", total.Opened-2), "one of each, but for the last ones")
			} else {
				Expect(seen).To(BeEmpty())
			}
		}, SpecTimeout(time.Minute))
	}
})
