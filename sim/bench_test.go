package sim_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/trace"
	"baton/scenarios/plan"
	"baton/sim"
)

// cpuTime is the processor time that the process has spent: other processes do
// not disturb it as they do the wall clock.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type discard struct{}

func (discard) Record(trace.Event) {}

const fullPair = `scenario full-pair
topo    pair clients=1 backends=2
service web tcp 198.18.0.100:80 mode=fullnat
service dns udp 198.18.0.100:53 mode=fullnat
`

// BenchmarkPair compares how many simulated seconds pass in a second of processor
// time, by load; everypacket sends each packet through the dataplane's model.
func BenchmarkPair(b *testing.B) {
	for _, bench := range []struct {
		name, traffic string
		every         bool
	}{
		{"idle", "", false},
		{"sessions200+probe", "traffic web sessions tcp count=200 every=100ms\ntraffic probe probe udp rate=1000/s\n", false},
		{"sessions200+probe+connects100", "traffic web sessions tcp count=200 every=100ms\ntraffic probe probe udp rate=1000/s\ntraffic new connects tcp rate=100/s\n", false},
		{"everypacket", "traffic web sessions tcp count=200 every=100ms\ntraffic probe probe udp rate=1000/s\n", true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p, err := plan.Parse("bench.scn", []byte(fullPair+bench.traffic+"@0s end\n"))
			if err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			w, err := sim.NewWorld(p, sim.Config{Seed: 1, Recorder: discard{}, EveryPacket: bench.every})
			if err != nil {
				b.Fatal(err)
			}
			_ = w.Up(ctx)
			_ = w.Until(ctx, w.Now().Add(3*time.Second), nil)
			if err := w.StartTraffic(ctx); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				if err := w.Until(ctx, w.Now().Add(time.Second), nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/(cpuTime(b)-before).Seconds(), "sim-s/cpu-s")
		})
	}
}
