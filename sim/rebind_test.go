package sim_test

import (
	"path/filepath"
	"strings"
	"testing"

	"baton/scenarios/check"
	"baton/sim"
)

// TestReboundFlows: with affinity no flow moves, even across a crash; without it most do.
func TestReboundFlows(t *testing.T) {
	for _, file := range []string{"clients/rebound-flows-keep-their-backend.scn", "controls/control-rebound-flows-without-affinity.scn"} {
		p := parse(t, filepath.Join("..", "scenarios", "library", file))
		for _, every := range []bool{false, true} {
			v, events := execute(t, p, sim.Config{Seed: 1, EveryPacket: every})
			tuples := map[string]bool{}
			for _, e := range events {
				if e.Traffic != nil && strings.HasPrefix(e.Traffic.Flow, "client1/0") {
					tuples[e.Traffic.Tuple] = true
				}
			}
			if v.Verdict != check.Pass {
				t.Errorf("%s: every packet %v: %s: %s", file, every, v.Verdict, strings.Join(v.Reasons, "; "))
			}
			if len(p.Control) > 0 && len(tuples) < 3 {
				t.Errorf("%s: a flow has moved from %d source ports", file, len(tuples))
			}
		}
	}
}
