package suite

import (
	"strings"
	"testing"

	"baton/scenarios/check"
)

// TestOnlyAPassPasses: an inconclusive run fails the suite, and only a run that did
// not take place is skipped.
func TestOnlyAPassPasses(t *testing.T) {
	for verdict, want := range map[check.Outcome]struct{ skips, fails bool }{
		check.Pass: {}, check.Skip: {skips: true}, check.Fail: {fails: true}, check.Inconclusive: {fails: true}, "": {fails: true},
	} {
		if skip, failure := judged(check.Verdict{Verdict: verdict}, "a.scn", true); skip != "" || (failure == "") != (verdict == check.Pass) {
			t.Errorf("%q with -fail-on-skip: skip %q, failure %q", verdict, skip, failure)
		}
		for _, reasons := range [][]string{nil, {"because"}} {
			skip, failure := judged(check.Verdict{Verdict: verdict, World: "sim", Reasons: reasons}, "a.scn", false)
			if (skip != "") != want.skips || (failure != "") != want.fails {
				t.Errorf("%q for %q: skip %q, failure %q", verdict, reasons, skip, failure)
			}
			if want.fails && !strings.HasSuffix(failure, "replay: baton run --world sim a.scn") {
				t.Errorf("%q: no replay in %q", verdict, failure)
			}
		}
	}
}
