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

// pairFloor is the minimum number of simulated seconds per second of wall clock for a full pair
// with sessions and probes.
const pairFloor = 1000

// cpuTime is the CPU time that the process has used. Other processes disturb it less than the wall
// clock.
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

// BenchmarkPair compares how many simulated seconds pass in a second of the wall
// clock and of processor time, by load; everypacket sends each packet through the
// dataplane's model.
func BenchmarkPair(b *testing.B) {
	for _, bench := range []struct {
		name, traffic string
		every         bool
		floor         float64 // simulated seconds in one of the wall clock's; 0 for none
	}{
		{name: "idle"},
		{name: "sessions200+probe", traffic: "traffic web sessions tcp count=200 every=100ms\ntraffic probe probe udp rate=1000/s\n", floor: pairFloor},
		{name: "sessions200+probe+connects100", traffic: "traffic web sessions tcp count=200 every=100ms\ntraffic probe probe udp rate=1000/s\ntraffic new connects tcp rate=100/s\n"},
		{name: "everypacket", traffic: "traffic web sessions tcp count=200 every=100ms\ntraffic probe probe udp rate=1000/s\n", every: true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p, err := plan.Parse("bench.scn", []byte(fullPair+bench.traffic+"@1s end\n"))
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
			before, began := cpuTime(b), time.Now()
			for b.Loop() {
				if err := w.Until(ctx, w.Now().Add(time.Second), nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/(cpuTime(b)-before).Seconds(), "sim-s/cpu-s")
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "sim-s/s")
			if bench.floor > 0 {
				b.ReportMetric(bench.floor, "floor-sim-s/s")
			}
		})
	}
}
