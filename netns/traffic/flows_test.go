package traffic_test

import (
	"os"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/trace"
	"baton/netns/traffic"
	"baton/scenarios/plan"
)

// idleLine is a line of idle flows whose sample is asked ten times a second.
func idleLine(proto string, count, sample int) plan.Traffic {
	return plan.Traffic{Name: "idle", Kind: plan.Flows, Proto: proto, Service: proto, Count: count, Rate: 20_000, Sample: sample, Every: 100 * time.Millisecond}
}

var _ = Describe("idle flows", func() {
	It("open TCP connections without a socket, beside sessions of the same service", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, n.config(r, idleLine("tcp", 20_000, 200), sessionsLine(20, 20*time.Millisecond)))
		Expect(lineOf(g, 0)()).To(And(HaveField("Opened", 20_000), HaveField("Sample", 200)))
		Expect(connections(n)).To(BeNumerically("<=", 2*20))
		Eventually(lineOf(g, 0)).WithContext(ctx).Should(HaveField("Verified", 200))
		stop(ctx, g)
		Expect(r.final("idle")).To(And(HaveField("Verified", 200), HaveField("Lost", 0), HaveField("Failed", 0), HaveField("Corrupt", 0), HaveField("Moved", 0)))
		Expect(r.final("web")).To(And(HaveField("Opened", 20), HaveField("Lost", 0), HaveField("Corrupt", 0)))
	}, SpecTimeout(30*time.Second))

	It("lose exactly the sample when another backend gets their segments, which it resets", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, n.config(r, idleLine("tcp", 2000, 150)))
		Eventually(lineOf(g, 0)).WithContext(ctx).Should(HaveField("Verified", 150))
		n.serveBy(1)
		Eventually(func() (trace.Totals, error) {
			line := lineOf(g, 0)()
			if line.Moved > 0 {
				return line, StopTrying("another backend has answered for a connection that it does not know")
			}
			return line, nil
		}).WithContext(ctx).Should(And(HaveField("Lost", 150), HaveField("Verified", 0)))
		stop(ctx, g)
		lost := r.traffic("idle", "lost")
		Expect(lost).To(HaveLen(150))
		Expect(lost[0].Why).To(Equal("connection reset by peer"))
	}, SpecTimeout(30*time.Second))

	It("of UDP tell that the sample moved", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, n.config(r, idleLine("udp", 2000, 150)))
		Eventually(lineOf(g, 0)).WithContext(ctx).Should(HaveField("Verified", 150))
		n.serveBy(1)
		Eventually(lineOf(g, 0)).WithContext(ctx).Should(HaveField("Moved", 150))
		stop(ctx, g)
		Expect(r.final("idle")).To(And(HaveField("Moved", 150), HaveField("Lost", 0), HaveField("Verified", 150)))
	}, SpecTimeout(30*time.Second))

	for _, proto := range []string{"tcp", "udp"} {
		It("of "+proto+" are lost when the sample has no answer at the end, and are not verified before that", func(ctx SpecContext) {
			n, r := newNetwork(), &recording{}
			cfg := n.config(r, idleLine(proto, 500, 100))
			cfg.Timeouts = traffic.Timeouts{Drain: 500 * time.Millisecond}
			g := start(ctx, cfg)
			Eventually(lineOf(g, 0)).WithContext(ctx).Should(HaveField("Verified", 100))
			n.client.Route(vip+"/32", "198.18.0.99") // a host that is not there
			// A flow has been asked again after a tenth of a second.
			Eventually(lineOf(g, 0)).Within(10 * time.Second).Should(HaveField("Verified", 0))
			Expect(lineOf(g, 0)()).To(HaveField("Lost", 0))
			stop(ctx, g)
			Expect(r.final("idle")).To(And(HaveField("Lost", 100), HaveField("Verified", 0)))
			Expect(r.traffic("idle", "lost")[0].Why).To(HavePrefix("no answer for "))
		}, SpecTimeout(30*time.Second))
	}

	for _, proto := range []string{"tcp", "udp"} {
		It("of "+proto+" count for the sample once, also when their client ends in order and begins anew", func(ctx SpecContext) {
			n, r := newNetwork(), &recording{}
			g := start(ctx, n.config(r, idleLine(proto, 300, 100)))
			Eventually(lineOf(g, 0)).WithContext(ctx).Should(HaveField("Verified", 100))
			Expect(g.Leave("client1")).To(Equal(1))
			Expect(lineOf(g, 0)()).To(And(HaveField("Sample", 0), HaveField("Verified", 0), HaveField("Sessions", 0)))
			Expect(g.Serve("client1")).To(Equal(1))
			Eventually(lineOf(g, 0)).WithContext(ctx).Should(HaveField("Verified", 100))
			stop(ctx, g)
			Expect(r.final("idle")).To(And(HaveField("Sample", 100), HaveField("Verified", 100), HaveField("Lost", 0), HaveField("Sessions", 0)))
		}, SpecTimeout(30*time.Second))
	}

	It("of TCP that are refused are counted as failed", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		cfg := n.config(r, idleLine("tcp", 50, 10))
		cfg.Backends = cfg.Backends[1:] // the one that is reached does not listen
		g := start(ctx, cfg)
		stop(ctx, g)
		Expect(r.final("idle")).To(And(HaveField("Opened", 0), HaveField("Failed", 50), HaveField("Lost", 0)))
	}, SpecTimeout(30*time.Second))
})

// connections counts the TCP sockets that are connected in the network.
func connections(n *network) int {
	const established = "01"
	count := 0
	for _, h := range append(n.backends, n.client) {
		Expect(h.Do(func() error {
			table, err := os.ReadFile("/proc/thread-self/net/tcp")
			for _, line := range strings.Split(string(table), "\n") {
				if fields := strings.Fields(line); len(fields) > 3 && fields[3] == established {
					count++
				}
			}
			return err
		})).To(Succeed())
	}
	return count
}
