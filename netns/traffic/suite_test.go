package traffic_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/trace"
	"baton/netns/internal/testlab"
	"baton/netns/traffic"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

func TestTraffic(t *testing.T) { testlab.Run(t, "traffic") }

// recording collects events.
type recording struct{ testlab.Recording }

// traffic returns the events of one kind on one line.
func (r *recording) traffic(line, event string) (found []trace.Traffic) {
	for _, e := range r.All() {
		if e.Kind == trace.KindTraffic && e.Traffic.Name == line && e.Traffic.Event == event {
			found = append(found, *e.Traffic)
		}
	}
	return found
}

func (r *recording) gaps(line string) (found []trace.Gap) {
	for _, e := range r.All() {
		if e.Kind == trace.KindGap && e.Gap.Name == line {
			found = append(found, *e.Gap)
		}
	}
	return found
}

// final returns the final totals of a line.
func (r *recording) final(line string) trace.Totals {
	for _, e := range r.All() {
		if e.Kind == trace.KindTotals && e.Totals.Name == line && e.Totals.Final {
			return *e.Totals
		}
	}
	Fail("no final totals of line " + line)
	return trace.Totals{}
}

// network is a client and backends on one bridge. Every backend has the VIP on its
// loopback; the client's route selects which of them serves it.
type network struct {
	sw, client *testlab.Host
	backends   []*testlab.Host
}

const (
	vip     = "198.18.0.100"
	service = 80
)

var backendAddrs = []string{"198.18.0.21", "198.18.0.22"}

func newNetwork() *network { return newNetworkWith(DeferCleanup) }

func newNetworkWith(cleanup func(args ...any)) *network {
	n := &network{sw: testlab.NewHost("switch", cleanup), client: testlab.NewHost("client1", cleanup)}
	n.sw.Bridge("br0")
	n.client.Plug("eth0", n.sw, "br0", "198.18.0.11/24")
	for i, addr := range backendAddrs {
		b := testlab.NewHost([]string{"backend1", "backend2"}[i], cleanup)
		b.Plug("eth0", n.sw, "br0", addr+"/24")
		b.Address("lo", vip+"/32")
		b.Sysctl("net/ipv4/conf/all/arp_ignore", "1")
		n.backends = append(n.backends, b)
	}
	for _, addr := range backendAddrs {
		n.client.Reach(addr)
	}
	n.serveBy(0)
	return n
}

// serveBy makes the client reach the VIP at this backend.
func (n *network) serveBy(i int) { n.client.Route(vip+"/32", backendAddrs[i]) }

// config loads the VIP's services with the given lines.
func (n *network) config(r *recording, lines ...plan.Traffic) traffic.Config {
	cfg := traffic.Config{
		Lines: lines, Clients: []traffic.Host{n.client}, Run: 7, Record: r.Record,
		Services: []plan.Service{
			{Name: "tcp", Proto: "tcp", VIP: vip, Port: service},
			{Name: "udp", Proto: "udp", VIP: vip, Port: service},
		},
	}
	for i := range 50 {
		cfg.Guests[lab.IPv4] = append(cfg.Guests[lab.IPv4], netip.AddrFrom4([4]byte{198, 18, 0, byte(150 + i)}))
	}
	for _, b := range n.backends {
		cfg.Backends = append(cfg.Backends, traffic.Backend{Host: b, Addrs: []netip.Addr{netip.MustParseAddr(vip)}})
	}
	return cfg
}

// start starts the traffic and waits until it flows.
func start(ctx context.Context, cfg traffic.Config) *traffic.Generator {
	g, err := traffic.New(cfg)
	Expect(err).NotTo(HaveOccurred())
	Expect(g.Start(ctx)).To(Succeed())
	return g
}

// stop ends the traffic in order.
func stop(ctx context.Context, g *traffic.Generator) {
	g.Stop(ctx)
	g.Close()
}

// lineOf returns the live totals of the n-th line.
func lineOf(g *traffic.Generator, n int) func() trace.Totals {
	return func() trace.Totals { return g.Snapshot().Lines[n] }
}

func sessionsLine(count int, every time.Duration) plan.Traffic {
	return plan.Traffic{Name: "web", Kind: plan.Sessions, Proto: "tcp", Service: "tcp", Count: count, Every: every}
}

func connectsLine(rate float64) plan.Traffic {
	return plan.Traffic{Name: "new", Kind: plan.Connects, Proto: "tcp", Service: "tcp", Rate: rate}
}

func probeLine() plan.Traffic {
	return plan.Traffic{Name: "probe", Kind: plan.Probe, Proto: "udp", Service: "udp", Rate: 1000}
}
