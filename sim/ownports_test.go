package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim"
)

// TestPortsAreUsedAgain: short connections from a few source ports, closed from either side, are
// served one after the other, also across a takeover. Each connection that ends by a reset shows a
// RST at both edges.
func TestPortsAreUsedAgain(t *testing.T) {
	for _, c := range []struct {
		line, steps string
		least       uint64 // connections that have their answer
		resets      bool
	}{
		{"close=server", "", 350, false},
		{"close=reset", "", 350, true},
		{"close=server ports=1", "", 350, false},
		{"close=reset ports=1", "", 350, true},
		{"close=server ports=20", "@1s crash lb1\n", 300, false},
		{"close=server ports=1", "@1s crash lb1\n", 250, false},
	} {
		for _, mode := range []string{"fullnat", "dnat"} {
			t.Run(mode+"/"+c.line+c.steps, func(t *testing.T) {
				text := "scenario ports\ntopo pair backends=2\nservice web tcp 198.18.0.100:80 mode=" + mode + "\n" +
					"traffic new connects rate=50/s " + c.line + "\nalways connects_failed == 0 ; corrupt == 0\n" +
					"@0s wait lb1 is Master and lb2 insync within 5s\n" + c.steps + "@8s end\n"
				p, err := plan.Parse("ports.scn", []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				v, events := execute(t, p, sim.Config{Seed: 1})
				var total trace.Totals
				rsts := 0
				for _, e := range events {
					if e.Totals != nil && e.Totals.Final {
						total = *e.Totals
					}
					if e.RST != nil {
						rsts++
					}
				}
				why := fmt.Sprintf("%s: %d RSTs, %+v: %s", v.Verdict, rsts, total, strings.Join(v.Reasons, "; "))
				if v.Verdict != check.Pass || total.Received < c.least || (rsts > 0) != c.resets || c.resets && rsts != 2*int(total.Received) {
					t.Error(why)
				}
			})
		}
	}
}
