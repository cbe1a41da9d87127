package sim_test

import (
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/plan"
	"baton/sim"
)

// Flows refused by a node's dataplane are recorded by service and reason, each flow once.
func TestRefusedFlowsAreOnRecord(t *testing.T) {
	p, err := plan.Parse("limit.scn", []byte("scenario limit\nconfig limits.source_flows=40\nservice web tcp 198.18.0.100:80\n"+
		"traffic web sessions tcp count=40 every=100ms\ntraffic new connects tcp rate=20/s from=2s\nalways lost == 0\n"+
		"@0s wait lb1 is Master and lb2 insync within 5s\n@6s end\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, events := execute(t, p, sim.Config{Seed: 1})
	refused := map[string]uint64{}
	for _, e := range events {
		if e.Kind == trace.KindRefused {
			refused[strings.Join([]string{e.Node, e.Refused.Service, e.Refused.Why}, " ")] += e.Refused.Count
		}
	}
	if n := refused["lb1 web source-limit"]; len(refused) != 1 || n < 60 || n > 300 {
		t.Errorf("refused %v, want those of lb1 alone: 20 a second, each of which is sent again", refused)
	}
}
