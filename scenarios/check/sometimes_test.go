package check

import (
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
)

// TestSometimesConditionsAreSeen: sometimes conditions about states, counts and metrics measured at the end.
// The verdict does not depend on them.
func TestSometimesConditionsAreSeen(t *testing.T) {
	for _, test := range []struct {
		claim  string
		edit   func(*tape)
		seen   bool
		detail string
	}{
		{"masters == 0", nil, true, "masters is 0 at +0.000s"},
		{"forwarders == 2", nil, false, "forwarders is"},
		{"lb2 is Claiming", nil, true, "lb2 is Claiming at +2.153s"},
		{"lb1 is Claiming", nil, true, "lb1 is Claiming at +0.098s"},
		{"lb2 is Fault", nil, false, "lb2 is Master"},
		{"takeover_ms > 150", nil, true, "154.9ms at +2.155s"},
		{"takeover_ms > detect+50ms", nil, false, "154.9ms"},
		{"handover_ms > 1", nil, false, "not measured"},
		{"rst >= 1", func(t *tape) { t.rst(2500) }, true, "rst is 1 at +2.500s"},
		{"rst >= 1", func(t *tape) { t.rst(-100) }, false, "rst is 0"},
		{"rst >= 2", func(t *tape) { t.rst(2500); t.rst(3500) }, true, "rst is 2 at +3.500s"},
		{"rst >= 2", func(t *tape) { t.rst(-100); t.rst(3500) }, false, "rst is 1"},
		{"lb2 is Yielding", func(t *tape) { // of no length: nobody can have seen it
			t.role(3000, "lb2", "Master", "Yielding")
			t.role(3000, "lb2", "Yielding", "Master")
		}, false, "lb2 is Master"},
		{"gap(web) > 200ms", func(t *tape) { t.stall(2100, time.Millisecond) }, true, "gap(web) is 205ms at +2.200s"},
	} {
		tape := crash()
		if test.edit != nil {
			test.edit(tape)
			trace.Sort(*tape)
		}
		v := judged(scenario(t, "sometimes "+test.claim, "", ""), tape)
		if len(v.Sometimes) != 1 || v.Verdict != Pass {
			t.Errorf("%s: %s", test.claim, show(v))
			continue
		}
		if got := v.Sometimes[0]; got.Claim != test.claim || got.Seen != test.seen || !strings.Contains(got.Detail, test.detail) || got.Line != 6 {
			t.Errorf("%s: %+v", test.claim, got)
		}
	}
}

// TestASometimesThatCannotBeJudgedIsNotSeen: it says what the subject lacks.
func TestASometimesThatCannotBeJudgedIsNotSeen(t *testing.T) {
	got := judged(scenario(t, "sometimes converged\nalways rst == 0", "", ""), silent(crash())).Sometimes[0]
	if got.Seen || !strings.HasPrefix(got.Detail, "the subject does not provide ") {
		t.Errorf("%+v", got)
	}
}

// TestASometimesOfTheOtherWorldIsNotLookedFor.
func TestASometimesOfTheOtherWorldIsNotLookedFor(t *testing.T) {
	if all := judged(scenario(t, "[sim] sometimes rst >= 1\nalways lost == 0", "", ""), crash()).Sometimes; len(all) != 0 {
		t.Errorf("%+v", all)
	}
}
