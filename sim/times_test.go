package sim

import (
	"maps"
	"slices"
	"testing"

	"baton/impl/clock"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// TestFaultsKeepTheirTimes: a cut of an idle link holds at once and has its receipt, and a node that
// is slow to stop does not delay the timeline.
func TestFaultsKeepTheirTimes(t *testing.T) {
	o := settled(t)
	do := func(f plan.Fault) {
		t.Helper()
		before := o.now
		if err := o.Do(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if o.now != before {
			t.Errorf("%s %s took %v", f.Verb, f.Target(), o.now.Sub(before))
		}
	}
	do(plan.Fault{Verb: fault.Cut, On: &lab.Selector{From: "backend1", To: "lb1"}})
	do(plan.Fault{Verb: fault.Freeze, Hosts: []string{o.master()}})
	do(plan.Fault{Verb: fault.Handover, Hosts: []string{o.master()}}) // answered once it is thawed, or never
	do(plan.Fault{Verb: fault.Heal})
	if err := o.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	began, ended := map[int]clock.Instant{}, map[string]string{}
	for _, e := range o.events {
		if e.Fault == nil {
			continue
		}
		if e.Fault.Phase == "begin" {
			began[e.Fault.ID] = e.At
			continue
		}
		ended[e.Fault.Verb] = e.Fault.Phase
		if took := e.At.Sub(began[e.Fault.ID]); e.Fault.Verb == fault.Handover && took != receiptLimit || e.Fault.Verb != fault.Handover && took != 0 {
			t.Errorf("%s: %s after %v", e.Fault.What(), e.Fault.Phase, took)
		}
	}
	want := map[string]string{fault.Cut: "receipt", fault.Freeze: "receipt", fault.Heal: "receipt", fault.Handover: "failed"}
	for _, verb := range slices.Sorted(maps.Keys(want)) {
		if ended[verb] != want[verb] {
			t.Errorf("%s: %q, want %q", verb, ended[verb], want[verb])
		}
	}
}
