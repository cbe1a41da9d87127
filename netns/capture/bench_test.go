package capture_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"baton/impl/trace"
	"baton/netns/capture"
	"baton/netns/internal/testlab"
	"baton/netns/traffic"
	"baton/scenarios/plan"
)

// BenchmarkReferenceLoad compares the load of the first scenarios (500 sessions
// of 10 messages a second, a probe of 1 kHz, 100 connects a second, through a
// router between two switches) without a capture, with one, and with one that
// keeps frames. An iteration is a second; costs are in percent of one core and
// contain the network that runs in this process's system calls.
func BenchmarkReferenceLoad(b *testing.B) {
	for _, with := range []struct {
		name    string
		capture bool
		keep    int
	}{{"traffic", false, 0}, {"traffic+capture", true, 0}, {"traffic+capture+frames", true, 32 << 20}} {
		b.Run(with.name, func(b *testing.B) { referenceLoad(b, with.capture, with.keep) })
	}
}

func referenceLoad(b *testing.B, captured bool, keep int) {
	if reason := testlab.SkipReason(); reason != "" {
		b.Skip("capture in namespaces: " + reason)
	}
	RegisterTestingT(b)
	var undo []func()
	defer func() {
		for _, f := range undo {
			f()
		}
	}()
	n := newNetworkWith(func(args ...any) { undo = append(undo, args[0].(func())) })
	g, err := traffic.New(traffic.Config{
		Lines: []plan.Traffic{
			{Name: "web", Kind: plan.Sessions, Proto: "tcp", Service: "tcp", Count: 500, Every: 100 * time.Millisecond},
			{Name: "new", Kind: plan.Connects, Proto: "tcp", Service: "tcp", Rate: 100},
			{Name: "probe", Kind: plan.Probe, Proto: "udp", Service: "udp"},
		},
		Services: []plan.Service{{Name: "tcp", Proto: "tcp", VIP: vip, Port: port}, {Name: "udp", Proto: "udp", VIP: vip, Port: port}},
		Clients:  []traffic.Host{n.client}, Backends: []traffic.Backend{{Host: n.backend, Addrs: []netip.Addr{netip.MustParseAddr(vip)}}},
		Record: func(trace.Event) {},
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(g.Start(context.Background())).To(Succeed())

	r := &recording{}
	cfg := n.config(r)
	for i := range cfg.Edges {
		cfg.Edges[i].Keep = keep / len(cfg.Edges)
	}
	var stats func() capture.Stats
	if captured {
		c, err := capture.Start(cfg)
		Expect(err).NotTo(HaveOccurred())
		defer c.Stop()
		stats = c.Stats
	}
	cpu, begun := cpuTime(), time.Now()
	for b.Loop() {
		<-time.After(time.Second)
	}
	took := time.Since(begun)
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / took.Seconds() }
	b.ReportMetric(share(cpuTime()-cpu), "%core-process")
	b.ReportMetric(share(g.Snapshot().CPU), "%core-traffic")
	if captured {
		s := stats()
		b.ReportMetric(share(s.CPU), "%core-capture")
		b.ReportMetric(float64(s.Frames)/took.Seconds(), "frames/s")
		b.ReportMetric(float64(s.Lost), "lost")
	}
	b.ReportMetric(float64(g.Snapshot().Late.Microseconds()), "late-max-us")
	b.ReportMetric(g.Snapshot().Lines[0].RTTp50*1000, "rtt-tcp-p50-us")
	b.ReportMetric(0, "ns/op")
	g.Stop(context.Background())
	g.Close()
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	Expect(unix.Getrusage(unix.RUSAGE_SELF, &u)).To(Succeed())
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
