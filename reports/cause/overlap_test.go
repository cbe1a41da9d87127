package cause

import (
	"testing"

	"baton/impl/trace"
)

// Of two leases at one time the cause is the later claim, and what the holder of the earlier lease did.
func TestTwoLeasesAtOneTimeAreToldByTheLaterClaim(t *testing.T) {
	const early = "lb2 claimed the role (no MASTER) before the lease of lb1 had ended"
	cut := func(t *tape, at float64) {
		t.add(at, "", severing(0, "cut", "begin"))
	}
	for _, test := range []struct {
		name  string
		lease float64 // until when lb1 has a lease
		edit  func(*tape)
		from  float64
		says  string
	}{
		{"no reason is seen", 3100, func(*tape) {}, 3000, early},
		{"frozen", 3100, func(t *tape) { t.strikes(2900, "freeze", "lb1") }, 3000, early + ", which stood still"},
		{"killed", 3100, func(t *tape) { t.strikes(2900, "kill", "lb1") }, 3000, early + ", whose process had ended"},
		{"cut off, and renewed since", 3100, func(t *tape) { cut(t, 2940) }, 3000, early + ", which renewed it although what it sent to lb2 was cut off"},
		{"cut off, and not renewed since", 3100, func(t *tape) { cut(t, 2960) }, 3000, early},
		{"the earlier lease had ended", 2999, func(*tape) {}, 3000, ""},
		{"the later claim is long past", 9000, func(*tape) {}, 5000, ""},
	} {
		tape := tape{}
		tape.role(1000, "lb1", "Claiming", "Master", "lease held", 1)
		test.edit(&tape)
		tape.lease(2950, "lb1", test.lease)
		tape.claims(2990, "lb2")
		tape.lease(3000, "lb2", 9000)
		trace.Sort(tape)
		found, ok := overlap(tape, Harm{Kind: Apart, From: ms(test.from), To: ms(9000)})
		if ok != (test.says != "") || found.What != test.says {
			t.Errorf("%s: %q, want %q", test.name, found.What, test.says)
		}
		if ok && (found.Node != "lb2" || found.At != ms(test.from)) {
			t.Errorf("%s: by %s at %v", test.name, found.Node, found.At)
		}
	}
}
