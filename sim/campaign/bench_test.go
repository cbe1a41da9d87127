package campaign_test

import (
	"testing"
	"time"

	"baton/sim/campaign"
)

// seedFloor is the minimum number of seeds per second, each of about sixty simulated seconds.
const seedFloor = 20

// BenchmarkSeeds runs a campaign on every core, as baton sim does. An op is a seed.
func BenchmarkSeeds(b *testing.B) {
	campaign.TuneMemory()
	b.ReportAllocs()
	began := time.Now()
	p, err := campaign.Run(b.Context(), campaign.Options{Start: 1, Seeds: b.N})
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began).Seconds()
	b.ReportMetric(float64(p.Done)/took, "seeds/s")
	b.ReportMetric(seedFloor, "floor-seeds/s")
	b.ReportMetric(p.Simulated.Seconds()/took, "sim-s/s")
}
