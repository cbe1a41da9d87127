package campaign_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"testing"

	"baton/scenarios/check"
	"baton/sim/campaign"
)

// seeds is how many seeds a test runs: few, or BATON_SEEDS.
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

// TestUnsafeSeedsFindTheBug: with the gates off the historical bug shows within 50 seeds from any
// start. It shows as a RST to a client, not only as a passed gate.
func TestUnsafeSeedsFindTheBug(t *testing.T) {
	for _, start := range []uint64{1, 1001, 20001} {
		seed := start
		for ; seed < start+50 && !resets(t, seed); seed++ {
		}
		if seed == start+50 {
			t.Errorf("50 seeds from %d with the gates off: no client got a RST", start)
		}
		t.Logf("from %d: seed %d", start, seed)
	}
}

// resets reports whether a client gets a RST in the case of a seed with the gates off.
func resets(t *testing.T, seed uint64) bool {
	t.Helper()
	c, err := campaign.Draw(seed, true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := campaign.Execute(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(r.Verdict.Checks, func(c check.Check) bool { return c.Name == "rst" && c.Verdict == check.Fail })
}
