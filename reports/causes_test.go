package reports

import (
	"slices"
	"testing"

	"baton/reports/model"
)

func TestRunsThatBrokeAlikeAreOneCause(t *testing.T) {
	run := func(verdict, cause string) model.Run { return model.Run{Verdict: verdict, Cause: cause} }
	got := causes([]model.Run{run("PASS", ""), run("INCONCLUSIVE", "faults"), run("FAIL", "gap"), run("FAIL", "rst"), run("FAIL", "rst"), run("INCONCLUSIVE", "rst")})
	want := []model.Cause{{What: "rst", Verdict: "FAIL", Runs: []int{3, 4}}, {What: "gap", Verdict: "FAIL", Runs: []int{2}},
		{What: "faults", Verdict: "INCONCLUSIVE", Runs: []int{1}}, {What: "rst", Verdict: "INCONCLUSIVE", Runs: []int{5}}}
	if !slices.EqualFunc(got, want, func(a, b model.Cause) bool {
		return a.What == b.What && a.Verdict == b.Verdict && slices.Equal(a.Runs, b.Runs)
	}) {
		t.Errorf("%+v", got)
	}
}
