package sim_test

import (
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim"
)

// TestQueriesAreAnswered: each query has one answer, except exactly those sent during an outage. A
// frozen client sends no queries.
func TestQueriesAreAnswered(t *testing.T) {
	for _, c := range []struct {
		steps        string
		least, most  int // failed
		asked, fewer uint64
	}{
		{"", 0, 0, 1550, 1700},
		{"@2s crash lb1\n", 15, 60, 1550, 1700},
		{"@1s freeze client1 for 5s\n", 0, 0, 550, 700},
	} {
		text := "scenario dns\nservice dns udp 198.18.0.100:53\ntraffic ask connects udp rate=200/s\n" +
			"@0s wait lb1 is Master and lb2 insync within 5s\n" + c.steps + "@8s end\n"
		p, err := plan.Parse("dns.scn", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		v, events := execute(t, p, sim.Config{Seed: 1})
		var total trace.Totals
		for _, e := range events {
			if e.Totals != nil && e.Totals.Final {
				total = *e.Totals
			}
		}
		if v.Verdict != check.Pass || total.Failed < c.least || total.Failed > c.most || total.Sent < c.asked || total.Sent > c.fewer {
			t.Errorf("%q: %s: %+v: %s", c.steps, v.Verdict, total, strings.Join(v.Reasons, "; "))
		}
	}
}
