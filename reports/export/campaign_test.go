package export

import (
	"testing"

	"baton/reports/model"
)

// A search passes in JUnit only if it is complete; what it found comes first.
func TestASearchThatEndedEarlyIsInconclusive(t *testing.T) {
	for _, test := range []struct {
		of   model.Campaign
		want string
	}{
		{model.Campaign{Planned: 2, Done: 2}, "PASS"},
		{model.Campaign{Planned: 2, Done: 1}, "INCONCLUSIVE"},
		{model.Campaign{Planned: 2, Done: 2, Interrupted: true}, "INCONCLUSIVE"},
		{model.Campaign{Planned: 2, Done: 2, Shards: 3, Lacking: []int{1}}, "INCONCLUSIVE"},
		{model.Campaign{Planned: 2, Done: 1, Interrupted: true, Violations: []model.Violation{{Seed: 1}}}, "FAIL"},
	} {
		if got, reasons := campaignVerdict(test.of); got != test.want || (got == "PASS") != (len(reasons) == 0) {
			t.Errorf("%+v: %s %q, want %s", test.of, got, reasons, test.want)
		}
	}
}
