package netns_test

import (
	"testing"
	"time"

	"baton/netns"
	"baton/scenarios/lab"
)

// BenchmarkPair measures how long the default pair takes to come up (target: 100 ms) and to
// close, with the leak check.
func BenchmarkPair(b *testing.B) {
	if err := netns.Probe(); err != nil {
		b.Skip(err)
	}
	var up, down time.Duration
	for b.Loop() {
		start := time.Now()
		pair, err := netns.NewPair(lab.Topo{Clients: 2, Backends: 3})
		if err != nil {
			b.Fatal(err)
		}
		built := time.Now()
		if leaks := pair.Close(b.Context()); len(leaks) > 0 {
			b.Fatal(leaks)
		}
		up += built.Sub(start)
		down += time.Since(built)
	}
	b.ReportMetric(float64(up.Microseconds())/1e3/float64(b.N), "up-ms/op")
	b.ReportMetric(float64(down.Microseconds())/1e3/float64(b.N), "down-ms/op")
}
