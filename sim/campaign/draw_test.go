package campaign_test

import (
	"testing"

	"baton/scenarios/plan"
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

// TestWhatStaysForEverIsJudged: some cases have chaos that never ends, and of none of them
// is it open from when on the pair must serve.
func TestWhatStaysForEverIsJudged(t *testing.T) {
	stays := 0
	for seed := range uint64(100) {
		c, err := campaign.Draw(seed, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, ends := c.Plan.CalmFrom(plan.Sim); !ends {
			t.Errorf("seed %d: its chaos never ends, and nobody has to serve through it", seed)
		}
		if c.Plan.ChaosIn(plan.Sim) && c.Plan.ChaosTime(plan.Sim, "until") == 0 {
			stays++
		}
	}
	if stays < 5 {
		t.Errorf("%d of 100 cases have chaos that stays for ever", stays)
	}
}
