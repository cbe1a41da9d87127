package sim_test

import (
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim"
)

// TestFaultsOfABackend: with both ends of ten sessions on one backend and one fault,
// how many are lost, and who resets them.
func TestFaultsOfABackend(t *testing.T) {
	for _, c := range []struct {
		name, steps string
		lost, rsts  int
		claims      string
	}{
		{"a power failure is silent; who comes back resets what it does not know",
			"@1s crash backend1\n@2s restore backend1\n", 10, 20, "connects_failed == 0"},
		{"a kill closes at once", "@1s kill backend1\n@3s restore backend1\n", 10, -1, "connects_failed > 0"},
		{"a stop closes at once", "@1s stop backend1\n@3s restore backend1\n", 10, -1, "connects_failed > 0"},
		{"a freeze loses nothing", "@1s freeze backend1\n@2s thaw backend1\n", 0, 0, "connects_failed == 0 ; gap(web) > 900ms ; gap(dns) > 500ms"},
		{"whom a client cannot reach", "@1s cut lb1<->backend1\n@1.5s heal\n", 0, 0, "connects_failed == 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := "scenario backend\ntopo pair backends=1\nservice web tcp 198.18.0.100:80\nservice dns udp 198.18.0.100:53\n" +
				"traffic web sessions tcp count=10\ntraffic new connects tcp rate=20/s\ntraffic dns probe udp\n" +
				"always " + c.claims + "\n@0s wait lb1 is Master and lb2 insync within 5s\n" + c.steps + "@8s end\n"
			p, err := plan.Parse("backend.scn", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, every := range []bool{false, true} {
				v, events := execute(t, p, sim.Config{Seed: 1, EveryPacket: every})
				lost, rsts := 0, 0
				for _, e := range events {
					if e.Traffic != nil && e.Traffic.Event == trace.TrafficLost {
						lost++
					}
					if e.RST != nil {
						rsts++
					}
				}
				if v.Verdict != check.Pass || lost != c.lost || c.rsts >= 0 && rsts < c.rsts || c.rsts == 0 && rsts > 0 {
					t.Errorf("every packet %v: %s, %d lost, %d RSTs: %s", every, v.Verdict, lost, rsts, strings.Join(v.Reasons, "; "))
				}
			}
		})
	}
}
