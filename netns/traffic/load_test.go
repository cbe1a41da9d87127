package traffic_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/trace"
	"baton/netns/internal/testlab"
	"baton/netns/traffic"
	"baton/scenarios/plan"
)

var _ = Describe("load on a network that works", func() {
	It("loses nothing and ends in order", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, n.config(r, sessionsLine(50, 20*time.Millisecond), connectsLine(200), probeLine()))
		Expect(lineOf(g, 0)().Sessions).To(Equal(50), "Start returns once the sessions stand")
		Eventually(lineOf(g, 0)).Within(10*time.Second).Should(HaveField("Received", BeNumerically(">", 2000)),
			func() string { return fmt.Sprintf("%+v", g.Snapshot()) })
		stop(ctx, g)

		web, fresh, probe := r.final("web"), r.final("new"), r.final("probe")
		Expect(web.Received).To(Equal(web.Sent))
		Expect([]int{web.Lost, web.Failed, web.Corrupt, web.Moved, web.Sessions}).To(HaveEach(0))
		Expect(r.traffic("web", "done")).To(HaveLen(50))
		Expect(fresh.Failed).To(BeZero())
		Expect(uint64(fresh.Opened)).To(Equal(fresh.Received))
		Expect(fresh.Received).To(BeNumerically(">", 50))
		Expect(probe.Received).To(Equal(probe.Sent))
	}, SpecTimeout(30*time.Second))

	It("comes from every client, each its share", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		second := testlab.NewHost("client2", DeferCleanup)
		second.Plug("eth0", n.sw, "br0", "198.18.0.12/24")
		second.Route(vip+"/32", backendAddrs[1])
		second.Reach(backendAddrs[1])
		cfg := n.config(r, sessionsLine(10, 20*time.Millisecond), connectsLine(100), probeLine())
		cfg.Clients = append(cfg.Clients, second)
		g := start(ctx, cfg)
		passes(g, 1, 40)
		stop(ctx, g)

		sources := map[string]int{}
		for _, s := range r.traffic("web", trace.TrafficOpened) {
			from, _, _ := strings.Cut(strings.TrimPrefix(s.Tuple, "tcp "), ":")
			sources[s.Flow[:len("client1")]+" "+from+" "+s.Backend]++
		}
		Expect(sources).To(Equal(map[string]int{"client1 198.18.0.11 backend1": 5, "client2 198.18.0.12 backend2": 5}))
		Expect(r.traffic("probe", trace.TrafficOpened)).To(HaveLen(2))
		Expect(r.final("new").Failed).To(BeZero())
	}, SpecTimeout(30*time.Second))

	It("can be broken off while it opens", func() {
		n, r := newNetwork(), &recording{}
		g, err := traffic.New(n.config(r, sessionsLine(800, time.Second)))
		Expect(err).NotTo(HaveOccurred())
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			defer GinkgoRecover()
			Eventually(func() []trace.Traffic { return r.traffic("web", trace.TrafficOpened) }).
				WithPolling(time.Millisecond).ShouldNot(BeEmpty())
			cancel()
		}()
		Expect(g.Start(ctx)).To(MatchError(context.Canceled))
		g.Close()
		web := r.final("web")
		Expect(web.Opened).To(BeNumerically("<", 800))
		Expect([]int{web.Lost, web.Failed, web.Sessions}).To(HaveEach(0))
	})

	It("opens ten thousand idle flows in under two seconds", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		begun := time.Now()
		g := start(ctx, n.config(r, plan.Traffic{Name: "idle", Kind: plan.Flows, Proto: "udp", Service: "udp", Count: 10000}))
		AddReportEntry("10,000 UDP flows answered after", time.Since(begun))
		Expect(lineOf(g, 0)()).To(HaveField("Opened", 10000))
		stop(ctx, g)
		Expect(r.final("idle").Failed).To(BeZero())
	}, SpecTimeout(30*time.Second))
})
