package parity_test

import (
	"strings"
	"testing"
	"time"

	"baton/scenarios/plan"
	"baton/sim/parity"
)

// A stall excuses a difference if it is longer than the scenario tolerates or than half a detection
// time. A fault of only one world excuses every difference. Nothing else does.
func TestStallsAndFaultsOfOneWorldExcuseDifferences(t *testing.T) {
	const lines = "service web tcp 198.18.0.100:80\nconfig bfd.tx=50ms bfd.mult=3\n"
	for _, c := range []struct {
		name, lines string
		verdict     parity.Verdict
		excuse      string
	}{
		{"none", "tolerate stall 250ms\n", parity.Verdict{}, ""},
		{"a stall that is tolerated", "tolerate stall 50ms\n", parity.Verdict{Stalled: 50 * time.Millisecond}, ""},
		{"a longer one", "tolerate stall 50ms\n", parity.Verdict{Stalled: 51 * time.Millisecond}, "longer than the tolerated 50ms"},
		{"half a detection time", "tolerate stall 250ms\n", parity.Verdict{Stalled: 75 * time.Millisecond}, ""},
		{"more than that", "tolerate stall 250ms\n", parity.Verdict{Stalled: 76 * time.Millisecond}, "longer than the tolerated 75ms"},
		{"a claim of one world", "[sim] always masters <= 1\n", parity.Verdict{}, ""},
		{"a fault of both", "@1s kill lb1\n", parity.Verdict{}, ""},
		{"a fault of one", "[sim] @1s step 1s lb1\n", parity.Verdict{}, "the worlds ran different faults, so their difference proves nothing: [sim] @1s step 1s lb1"},
		{"chaos of one", "[sim] chaos stall=5s stall.for=1s\n", parity.Verdict{}, "[sim] chaos stall"},
		{"no difference", "[sim] chaos stall=5s stall.for=1s\n", parity.Verdict{Same: true}, ""},
	} {
		p, err := plan.Parse("x.scn", []byte("scenario x\n"+lines+c.lines+"@5s end\n"))
		if err != nil {
			t.Fatal(c.name, err)
		}
		if got := c.verdict.Excuse(p); !strings.Contains(got, c.excuse) || (c.excuse == "") != (got == "") {
			t.Errorf("%s: %q, want %q", c.name, got, c.excuse)
		}
	}
}
