package check

import (
	"testing"

	"baton/impl/trace"
)

// TestPlannedAndStrayLossesAreToldApart: packets dropped by a fault count as dropped, also if they are
// reported after the end. Packets lost without a fault count as strays.
func TestPlannedAndStrayLossesAreToldApart(t *testing.T) {
	tape := crash()
	tape.struck(4_700, "cut", "lb1->lb2 via sync")
	lost := func(at float64, l trace.Loss) { tape.add(at, "", trace.Event{Kind: trace.KindLoss, Loss: &l}) }
	lost(4_800, trace.Loss{Planned: true, Count: 7, Where: "lb1>lb2 on sync", Why: "cut"})
	lost(99_000, trace.Loss{Planned: true, Count: 2, Where: "lb1>lb2 on clients", Why: "lose"})
	lost(99_000, trace.Loss{Count: 3, Where: "the input queues of this machine", Why: "they were full"})
	v := judged(scenario(t, "always rst == 0", "", ""), tape)
	if v.Metrics["dropped"] != 9 || v.Metrics["strays"] != 3 {
		t.Errorf("dropped %v, strays %v", v.Metrics["dropped"], v.Metrics["strays"])
	}
}
