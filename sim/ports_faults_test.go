package sim_test

import (
	"path/filepath"
	"strings"
	"testing"

	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim"
)

// TestAClientsPortConcernsItsTrafficAlone: all sessions and the probe of that client have the gap,
// those of the other client have none.
func TestAClientsPortConcernsItsTrafficAlone(t *testing.T) {
	p := parse(t, filepath.Join("..", "scenarios", "library", "l2", "client-port-flaps.scn"))
	v, events := execute(t, p, sim.Config{Seed: 1})
	if v.Verdict != check.Pass {
		t.Fatalf("%s: %s", v.Verdict, strings.Join(v.Reasons, "; "))
	}
	gaps := map[string]int{}
	for _, e := range events {
		if e.Gap != nil {
			gaps[e.Node+" "+e.Gap.Name]++
		}
	}
	if gaps["client1 pulled"] < 20 || len(gaps) != 1 {
		t.Errorf("gaps: %v", gaps)
	}
}

// TestAClientAsksAnewAfterItsCarrierWasGone: Linux forgets neighbours with the carrier.
func TestAClientAsksAnewAfterItsCarrierWasGone(t *testing.T) {
	p := parse(t, filepath.Join("..", "scenarios", "library", "l2", "client-unplugged-over-a-takeover.scn"))
	if v, _ := execute(t, p, sim.Config{Seed: 1}); v.Verdict != check.Pass {
		t.Errorf("%s: %s", v.Verdict, strings.Join(v.Reasons, "; "))
	}
}

// TestPowerSetsNoSwitchPortUp: a boot of the machine does not set its switch port up again.
func TestPowerSetsNoSwitchPortUp(t *testing.T) {
	for _, steps := range []string{
		"@1s down client1 via clients\n@2s crash client1\n@3s restore client1\n@6s expect connects_failed(one) > 0\n@7s up client1 via clients\n@9s expect connects_failed(one) == 0\n",
		"@1s down clients\n@2s crash lb2\n@3s restore lb2\n@5s expect lb2 is Init throughout 1s\n@7s up clients\n@9s expect connects_failed(one) == 0\n",
	} {
		p, err := plan.Parse("power.scn", []byte("scenario power\ntopo pair clients=2 backends=1\nservice web tcp 198.18.0.100:80\n"+
			"traffic one connects tcp client=client1\n@0s wait lb1 is Master and lb2 insync within 5s\n"+steps+"@14s end eventually converged within 10s\n"))
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := execute(t, p, sim.Config{Seed: 1}); v.Verdict != check.Pass {
			t.Errorf("%s%s: %s", steps, v.Verdict, strings.Join(v.Reasons, "; "))
		}
	}
}
