package reports

import (
	"testing"

	"baton/reports/model"
)

// A search passes only if it is complete; what it found comes first.
func TestASearchThatEndedEarlyIsInconclusive(t *testing.T) {
	for _, test := range []struct {
		name string
		of   model.Campaign
		want string
	}{
		{"complete", model.Campaign{Planned: 2, Done: 2}, "PASS"},
		{"seeds are missing", model.Campaign{Planned: 2, Done: 1}, "INCONCLUSIVE"},
		{"a walk was interrupted", model.Campaign{Planned: 2, Done: 2, Interrupted: true}, "INCONCLUSIVE"},
		{"a shard is missing", model.Campaign{Planned: 2, Done: 2, Shards: 3, Lacking: []int{1}}, "INCONCLUSIVE"},
		{"interrupted by a violation", model.Campaign{Planned: 2, Done: 1, Interrupted: true, Violations: []model.Violation{{Seed: 1}}}, "FAIL"},
	} {
		if got := outcome(&model.Suite{Campaigns: []model.Campaign{test.of}}); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		failed := &model.Suite{Runs: []model.Run{{Verdict: "FAIL"}}, Campaigns: []model.Campaign{test.of}}
		if got := outcome(failed); got != "FAIL" {
			t.Errorf("%s, beside a run that failed: %s", test.name, got)
		}
	}
}
