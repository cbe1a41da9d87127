package campaign_test

import (
	"strings"
	"testing"

	"baton/scenarios/plan"
	"baton/sim/campaign"
)

// TestEverySeedDrawsAValidScenario: every drawn scenario passes lint.
func TestEverySeedDrawsAValidScenario(t *testing.T) {
	for seed := uint64(20_000); seed < 20_000+uint64(seeds(t, 600)); seed++ {
		if _, err := campaign.Draw(seed, false); err != nil {
			t.Fatal(err)
		}
	}
}

// TestChaosThatNeverEndsIsJudged: some cases have chaos that never ends, and for each of them it is
// defined from when the pair must serve.
func TestChaosThatNeverEndsIsJudged(t *testing.T) {
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

// TestEveryKindIsDrawn: campaigns reach each feature of a node that they claim to draw.
func TestEveryKindIsDrawn(t *testing.T) {
	drawn := map[string]int{"limits.flows=": 0, "limits.source_flows=": 0, "limits.embryonic=": 0, "limits.source_embryonic=": 0, "limits.syn_challenge=": 0,
		"arbiter.validity=": 0, "arbiter.policy=keep-serving": 0, "arbiter.gateway=": 0, "mode=dsr-l2": 0, "mode=dsr-ipip": 0, "outer=ipv6": 0, "sessions sctp": 0, "sctp [2001:2::100]:5000": 0, ":5000 mode=dsr-l2": 0, ":5000 mode=dsr-ipip": 0, ":80-87 ": 0, ":53-60 ": 0, "deadline=": 0, "cut bfd lb": 0, "cut stream lb": 0}
	const cases = 300
	for seed := range uint64(cases) {
		c, err := campaign.Draw(seed, false)
		if err != nil {
			t.Fatal(err)
		}
		text := plan.Print(c.Plan)
		for what := range drawn {
			if strings.Contains(text, what) {
				drawn[what]++
			}
		}
	}
	for what, count := range drawn {
		if count < cases/100 {
			t.Errorf("%q stands in %d of %d cases", what, count, cases)
		}
	}
}
