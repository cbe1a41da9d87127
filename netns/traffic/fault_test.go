package traffic_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns/capture"
	"baton/netns/internal/hostclock"
	"baton/netns/internal/testlab"
	"baton/netns/traffic"
	"baton/scenarios/lab"
)

// moment is the interval in which something took effect.
type moment struct{ after, before clock.Instant }

func timed(f func()) moment {
	after := hostclock.Now()
	f()
	return moment{after, hostclock.Now()}
}

// silence removes the backend's route to the client, and speak restores it.
func silence(backend *testlab.Host) moment { return timed(func() { wayBack(backend.Link.RouteAdd) }) }
func speak(backend *testlab.Host) moment   { return timed(func() { wayBack(backend.Link.RouteDel) }) }

func wayBack(change func(*netlink.Route) error) {
	_, dst, err := net.ParseCIDR("198.18.0.11/32")
	Expect(err).NotTo(HaveOccurred())
	Expect(change(&netlink.Route{Dst: dst, Type: unix.RTN_BLACKHOLE})).To(Succeed())
}

// passes waits until the line has sent n more messages.
func passes(g *traffic.Generator, line int, n uint64) {
	already := lineOf(g, line)().Sent
	Eventually(lineOf(g, line)).Within(20 * time.Second).WithPolling(time.Millisecond).
		Should(HaveField("Sent", BeNumerically(">=", already+n)))
}

// watch captures the RSTs on the network's switch until the returned function is called.
func watch(n *network) (stop func() []trace.Event) {
	r := &recording{}
	hosts := map[string]string{n.client.MAC("eth0"): "client1"}
	for _, b := range n.backends {
		hosts[b.MAC("eth0")] = b.Name()
	}
	c, err := capture.Start(capture.Config{Hosts: hosts, Record: r.Record,
		Edges: []capture.Edge{{Name: lab.Clients, Host: n.sw}}})
	Expect(err).NotTo(HaveOccurred())
	return func() []trace.Event {
		c.Stop()
		Expect(c.Stats().Lost).To(BeZero())
		return r.All()
	}
}

var _ = Describe("an outage", func() {
	It("is measured by the probe to the millisecond, and by each session as one stall", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, n.config(r, sessionsLine(20, 20*time.Millisecond), probeLine()))
		passes(g, 1, 100)
		begun := silence(n.backends[0])
		passes(g, 1, 300)
		ended := speak(n.backends[0])
		passes(g, 1, 1000)
		late := g.Snapshot().LateProbes
		stop(ctx, g)

		var gaps []trace.Gap
		for _, g := range r.gaps("probe") { // others can only be stalls of this machine
			if g.From.Before(ended.after) && g.To.After(begun.before) {
				gaps = append(gaps, g)
			}
		}
		Expect(gaps).To(HaveLen(1))
		gap, slack := gaps[0], 2*time.Millisecond+late
		AddReportEntry(fmt.Sprintf("outage of %v to %v measured as %v, generator late by at most %v",
			ended.after.Sub(begun.before), ended.before.Sub(begun.after), gap.To.Sub(gap.From), late))
		Expect(gap.From).To(BeNumerically("~", begun.before, slack+begun.before.Sub(begun.after)))
		Expect(gap.To).To(BeNumerically("~", ended.after, slack+ended.before.Sub(ended.after)))
		Expect(gap.Missed).To(BeNumerically(">", 290))

		Expect(r.final("web").Lost).To(BeZero())
		stalls := map[string]int{}
		for _, stall := range r.gaps("web") {
			if stall.From.Before(ended.after) && stall.To.After(begun.before) {
				stalls[stall.Flow]++
				Expect(stall.From).To(BeNumerically("~", begun.before, 20*time.Millisecond+slack+begun.before.Sub(begun.after)))
				Expect(stall.To).To(BeNumerically(">", ended.after))
			}
		}
		Expect(stalls).To(And(HaveLen(20), HaveEach(1)))
	}, SpecTimeout(60*time.Second))

	It("that never ends is a gap until the end, and loses the sessions", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		cfg := n.config(r, sessionsLine(5, 20*time.Millisecond), probeLine())
		cfg.Timeouts.Drain = 200 * time.Millisecond
		g := start(ctx, cfg)
		passes(g, 1, 50)
		silence(n.backends[0])
		passes(g, 1, 100)
		stopped := hostclock.Now()
		stop(ctx, g)

		Expect(r.traffic("web", trace.TrafficLost)).To(And(HaveLen(5), HaveEach(HaveField("Why", HavePrefix("no answer for ")))))
		Expect(r.final("web")).To(And(HaveField("Lost", 5), HaveField("Sessions", 0)))
		// A stalled host causes gaps too, but they end earlier.
		open := slices.DeleteFunc(r.gaps("web"), func(g trace.Gap) bool { return g.To < stopped })
		Expect(open).To(HaveLen(5))
		Expect(r.gaps("probe")).To(ContainElement(HaveField("To", BeNumerically(">=", stopped))))
	}, SpecTimeout(60*time.Second))

	It("makes connects fail with their reason, and leaves no RST when the answers come late", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		cfg := n.config(r, connectsLine(50))
		cfg.Timeouts.Connect = 300 * time.Millisecond
		rsts := watch(n)
		g := start(ctx, cfg)
		passes(g, 0, 5)
		silence(n.backends[0])
		Eventually(lineOf(g, 0)).Within(10 * time.Second).Should(HaveField("Failed", BeNumerically(">=", 10)))
		speak(n.backends[0])
		// The backend repeats unanswered SYN-ACKs, to attempts that were given up.
		answered := lineOf(g, 0)().Received
		Eventually(lineOf(g, 0)).Within(10 * time.Second).Should(HaveField("Received", BeNumerically(">", answered+100)))
		g.Stop(ctx)
		Expect(rsts()).To(BeEmpty())
		g.Close()
		Expect(r.traffic("new", trace.TrafficFailed)).To(ContainElement(HaveField("Why", "no connection for 300ms")))
	}, SpecTimeout(60*time.Second))
})

var _ = Describe("a backend that takes over without the connections", func() {
	It("resets the sessions, and each is lost with that reason", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		rsts := watch(n)
		g := start(ctx, n.config(r, sessionsLine(20, 20*time.Millisecond), probeLine(), connectsLine(50)))
		n.serveBy(1)
		Eventually(lineOf(g, 0)).Within(10 * time.Second).Should(HaveField("Lost", 20))
		passes(g, 1, 100)
		g.Stop(ctx)
		captured := rsts()
		g.Close()

		Expect(r.traffic("web", trace.TrafficLost)).To(And(HaveLen(20), HaveEach(And(
			HaveField("Why", "connection reset by peer"), HaveField("Backend", "backend1"), HaveField("Tuple", HavePrefix("tcp 198.18.0.11:"))))))
		Expect(r.traffic("probe", trace.TrafficMoved)).To(Equal([]trace.Traffic{{Name: "probe", Flow: "client1/0",
			Event: trace.TrafficMoved, Why: "from backend1", Backend: "backend2", Tuple: r.traffic("probe", trace.TrafficOpened)[0].Tuple}}))
		flows := map[string]bool{}
		for _, e := range captured {
			Expect(e.RST.Sender).To(Equal(e.RST.Origin))
			if e.RST.Sender == "backend2" { // the client may reset a connect that was under way to backend1
				flows[e.RST.Flow] = true
			}
		}
		Expect(len(flows)).To(BeNumerically(">=", 20))
	}, SpecTimeout(60*time.Second))
})

var _ = Describe("a load balancer that damages the stream", func() {
	for _, damage := range []struct {
		name  string
		what  damage
		event string
		why   string
		also  string // an event that follows from it
	}{
		{"flips a bit of a request", flipRequest, trace.TrafficCorrupt, "checksum of the echoed request is wrong", ""},
		{"flips a bit of an answer", flipAnswer, trace.TrafficCorrupt, "checksum of the answer is wrong", ""},
		{"repeats an answer", repeatAnswer, trace.TrafficCorrupt, "echo of ", ""},
		{"loses an answer", loseAnswer, trace.TrafficCorrupt, "echo of message [0-9]+ where that of [0-9]+ was due", trace.TrafficLost},
		{"sends a request to another backend", switchBackend, trace.TrafficMoved, "from backend1", ""},
		{"closes the connection", closeEarly, trace.TrafficLost, "closed by the other end|connection reset by peer", ""},
	} {
		It(damage.name+": "+damage.event, func(ctx SpecContext) {
			n, r := newNetwork(), &recording{}
			p := newProxy(n)
			cfg := n.config(r, sessionsLine(5, 20*time.Millisecond))
			for i := range cfg.Backends {
				cfg.Backends[i].Addrs[0] = netip.MustParseAddr(backendAddrs[i])
			}
			cfg.Timeouts.Drain = time.Second
			g := start(ctx, cfg)
			p.damage.Store(int32(damage.what))
			Eventually(func() []trace.Traffic { return r.traffic("web", damage.event) }).Within(10 * time.Second).Should(HaveLen(5))
			stop(ctx, g)

			Expect(r.traffic("web", damage.event)).To(HaveEach(HaveField("Why", MatchRegexp("^("+damage.why+")"))))
			totals := map[string]int{trace.TrafficCorrupt: r.final("web").Corrupt, trace.TrafficMoved: r.final("web").Moved,
				trace.TrafficLost: r.final("web").Lost}
			for event, count := range totals {
				if event == damage.event || event == damage.also {
					Expect(count).To(Equal(5))
				} else {
					Expect(count).To(BeZero(), event)
				}
			}
		}, SpecTimeout(60*time.Second))
	}
})
