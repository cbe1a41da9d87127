package parity_test

import (
	"slices"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/sim/parity"
)

func stall(until, took int) trace.Event {
	return trace.Event{At: clock.Instant(time.Duration(until) * time.Millisecond), Kind: trace.KindStall,
		Stall: &trace.Stall{Took: trace.Dur(time.Duration(took) * time.Millisecond)}}
}

// A stall counts only if it may explain the difference: after the step that one of the two changes
// follows, and before the change. With several differences it must lie before each.
func TestAStallBeforeADifference(t *testing.T) {
	run := func(mended int, stalls ...trace.Event) []trace.Event {
		return slices.Concat([]trace.Event{
			step(0, "wait"), at(500, "lb1", "Backup", "Master", "no MASTER"),
			step(1000, "restore lb2"), step(3000, "cut sync"), at(mended, "lb2", "Fault", "Backup", "links are up"), step(6000, "end"),
		}, stalls)
	}
	for name, test := range map[string]struct {
		netns   []trace.Event
		stalled time.Duration
	}{
		"none":                 {run(3100), 0},
		"after the step":       {run(3100, stall(1800, 300)), 300 * time.Millisecond},
		"the longest counts":   {run(3100, stall(1800, 300), stall(2500, 120)), 300 * time.Millisecond},
		"across the change":    {run(3100, stall(3300, 400)), 400 * time.Millisecond},
		"before the step":      {run(3100, stall(900, 300)), 0},
		"after the change":     {run(3100, stall(4000, 300)), 0},
		"in the last of steps": {append(run(3100), at(5000, "lb1", "Master", "Backup", "a whim"), stall(1800, 300)), 0},
	} {
		v := parity.Compare(test.netns, run(1020))
		if v.Same || v.Stalled != test.stalled {
			t.Errorf("%s: the host stood still for %v, want %v\n%s", name, v.Stalled, test.stalled, v)
		}
	}
	late := append(run(1020), at(5000, "lb1", "Master", "Backup", "a whim"))
	if v := parity.Compare(run(1020, stall(4000, 300)), late); v.Stalled != 300*time.Millisecond {
		t.Errorf("of a change that never came in namespaces: %v\n%s", v.Stalled, v)
	}
	if v := parity.Compare(run(1020, stall(1010, 300)), run(1030)); !v.Same || v.Stalled != 0 {
		t.Errorf("of runs that are alike: %v\n%s", v.Stalled, v)
	}
}
