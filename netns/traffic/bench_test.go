package traffic_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"baton/netns/internal/testlab"
)

// BenchmarkReferenceLoad runs the load of the first scenarios (500 sessions of 10 messages
// a second, a probe of 1 kHz, 100 connects a second), one second per iteration, and reports
// its cost in percent of one core, both ends and the network included, and the maximum
// lateness of a wake-up.
func BenchmarkReferenceLoad(b *testing.B) {
	if reason := testlab.SkipReason(); reason != "" {
		b.Skip("traffic in namespaces: " + reason)
	}
	RegisterTestingT(b)
	var undo []func()
	cleanup := func(args ...any) { undo = append(undo, args[0].(func())) }
	defer func() {
		for _, f := range undo {
			f()
		}
	}()
	n, r := newNetworkWith(cleanup), &recording{}
	g := start(context.Background(), n.config(r, sessionsLine(500, 100*time.Millisecond), connectsLine(100), probeLine()))

	cpu := cpuTime()
	before := g.Snapshot()
	begun := time.Now()
	for b.Loop() {
		<-time.After(time.Second)
	}
	took := time.Since(begun).Seconds()
	after := g.Snapshot()
	process := cpuTime() - cpu
	stop(context.Background(), g)

	share := func(d time.Duration) float64 { return 100 * d.Seconds() / took }
	messages := float64(after.Lines[0].Received + after.Lines[2].Received - before.Lines[0].Received - before.Lines[2].Received)
	b.ReportMetric(messages/took, "messages/s")
	b.ReportMetric(share(process), "%core-process")
	b.ReportMetric(share(after.CPU-before.CPU), "%core-thread")
	b.ReportMetric(float64(after.Late.Microseconds()), "late-max-us")
	b.ReportMetric(float64(after.LateProbes.Microseconds()), "late-probes-us")
	b.ReportMetric(after.Lines[0].RTTp50*1000, "rtt-tcp-p50-us")
	b.ReportMetric(after.Lines[0].RTTp99*1000, "rtt-tcp-p99-us")
	b.ReportMetric(after.Lines[2].RTTp50*1000, "rtt-udp-p50-us")
	b.ReportMetric(0, "ns/op")
}

// cpuTime returns the CPU time of this process.
func cpuTime() time.Duration {
	var u unix.Rusage
	Expect(unix.Getrusage(unix.RUSAGE_SELF, &u)).To(Succeed())
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
