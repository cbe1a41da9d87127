package campaign_test

import (
	"context"
	"os"
	"strconv"
	"testing"

	"baton/sim/campaign"
)

// seeds is how many seeds a test runs: few in a suite, many by hand.
func seeds(t *testing.T, few int) int {
	if text := os.Getenv("BATON_SEEDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return few
}

// TestSafeSeedsFindNothing: with the gates on no seed violates its claims.
func TestSafeSeedsFindNothing(t *testing.T) {
	start := uint64(1)
	if text := os.Getenv("BATON_START"); text != "" {
		start, _ = strconv.ParseUint(text, 10, 64)
	}
	p, err := campaign.Run(context.Background(), campaign.Options{Start: start, Seeds: seeds(t, 20), Violated: func(v campaign.Violation) {
		t.Errorf("seed %d: %s", v.Seed, v.Reason)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d seeds, %d inconclusive, %.1f seeds/s, %.0f simulated seconds a second", p.Done, p.Inconclusive, p.SeedsPerSecond(), p.Speed())
}

// TestUnsafeSeedsFindTheBug: with the gates off the seed bug shows within 50 seeds.
func TestUnsafeSeedsFindTheBug(t *testing.T) {
	p, err := campaign.Run(context.Background(), campaign.Options{Start: 1, Seeds: 50, Unsafe: true, MaxViolations: 1, Violated: func(v campaign.Violation) {
		t.Logf("seed %d: %s", v.Seed, v.Reason)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if p.Violations == 0 {
		t.Fatalf("%d seeds with the gates off found nothing", p.Done)
	}
}
