package reports

import (
	"testing"

	"baton/reports/model"
)

// TestAControlIsCaughtByAllOfItsRuns: a control is caught if it has conclusive runs and all of them caught it.
func TestAControlIsCaughtByAllOfItsRuns(t *testing.T) {
	for _, test := range []struct {
		verdicts []string
		caught   bool
	}{{[]string{"PASS"}, true}, {[]string{"PASS", "PASS"}, true}, {[]string{"PASS", "FAIL"}, false}, {[]string{"FAIL"}, false}, {[]string{"SKIP"}, false},
		{[]string{"PASS", "INCONCLUSIVE"}, true}} {
		var runs []gathered
		var shown []model.Run
		row := model.Row{}
		for i, verdict := range test.verdicts {
			g := gathered{Run: model.Run{Verdict: verdict}, plan: "scenario s\n", control: []string{"rst"}}
			runs, shown, row.Runs = append(runs, g), append(shown, g.Run), append(row.Runs, i)
		}
		if fill(&row, shown, runs); row.Control == nil || row.Control.Caught != test.caught {
			t.Errorf("%v: %+v, want caught %v", test.verdicts, row.Control, test.caught)
		}
	}
}

// TestTheMedianOfAnEvenNumberIsBetweenItsMiddleTwo, in any order.
func TestTheMedianOfAnEvenNumberIsBetweenItsMiddleTwo(t *testing.T) {
	for _, test := range []struct {
		of   []float64
		want float64
	}{{[]float64{7}, 7}, {[]float64{9, 1}, 5}, {[]float64{3, 100, 2}, 3}, {[]float64{100, 1, 4, 2}, 3}} {
		if got := median(test.of); got != test.want {
			t.Errorf("median of %v: %v, want %v", test.of, got, test.want)
		}
	}
}
