package sim_test

import (
	"strings"
	"testing"

	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim"
)

// TestAMasterThatIsRefusedItsEntriesIsNotLookedAt: the tables are not compared if the MASTER took over
// while its dataplane refused entries: it reports so, and its peer gets them nevertheless.
func TestAMasterThatIsRefusedItsEntriesIsNotLookedAt(t *testing.T) {
	for _, mended := range []bool{false, true} {
		src := `scenario s
service  web tcp 198.18.0.100:80
traffic  web sessions count=10
traffic  new connects rate=30/s
always   rst == 0
@0s      wait lb1 is Master and lb2 insync within 5s
@2s      map full lb2
@2500ms  crash lb1
@4s      restore lb1
@6s      wait lb1 insync within 3s
`
		if mended {
			src += "@8s      mend lb2\n"
		}
		p, err := plan.Parse("s.scn", []byte(src+"@11s     end\n"))
		if err != nil {
			t.Fatal(err)
		}
		v, events := execute(t, p, sim.Config{Seed: 1})
		refused := 0
		for _, e := range events {
			if e.Note == "claims without all entries: the dataplane did not take them in time" {
				refused++
			}
		}
		if refused != 1 || v.Verdict != check.Pass {
			t.Errorf("mended %v: %s: %s, %d claims without all entries", mended, v.Verdict, strings.Join(v.Reasons, "; "), refused)
		}
	}
}
