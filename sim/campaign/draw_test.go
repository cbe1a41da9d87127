package campaign_test

import (
	"testing"

	"baton/sim/campaign"
)

// TestEverySeedIsAScenario: what is drawn is a scenario that lint takes.
func TestEverySeedIsAScenario(t *testing.T) {
	for seed := uint64(20_000); seed < 20_000+uint64(seeds(t, 600)); seed++ {
		if _, err := campaign.Draw(seed, false); err != nil {
			t.Fatal(err)
		}
	}
}
