package compare

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/reports"
	"baton/reports/export"
	"baton/reports/model"
)

// batches stores one report for each takeover time, and one empty folder.
func batches(t *testing.T, takeovers ...float64) string {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	root := t.TempDir()
	for i, takeover := range takeovers {
		s := suite(r, 5, takeover)
		s.Version = model.Version
		for j := range s.Rows {
			for k := range s.Rows[j].Figures {
				f := &s.Rows[j].Figures[k]
				f.Median = f.Values[0]
			}
		}
		var report bytes.Buffer
		if err := export.JSON(&report, s); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(root, fmt.Sprintf("batch-%02d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, reports.StoredFile), report.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

func levels(n int, takeover float64) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = takeover
	}
	return list
}

func TestAChangeIsMarkedInItsFigureAtItsBatch(t *testing.T) {
	h, problems, err := History(batches(t, append(levels(12, 130), levels(10, 180)...)...))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Batches) != 22 || len(problems) != 1 || !strings.Contains(problems[0].What, "neither runs nor") {
		t.Errorf("%d batches, problems %+v", len(h.Batches), problems)
	}
	marked := 0
	for _, trend := range h.Trends {
		switch {
		case trend.Metric != "takeover_ms" && len(trend.Changes) > 0:
			t.Errorf("%s %s has changes: %+v", trend.Scenario, trend.Metric, trend.Changes)
		case trend.Metric == "takeover_ms":
			marked++
			if len(trend.Changes) != 1 || trend.Changes[0].Point != 12 || trend.Changes[0].Verdict != model.Worse {
				t.Errorf("%s: %+v", trend.Scenario, trend.Changes)
			}
		}
	}
	if marked != 4 {
		t.Errorf("%d trends of takeovers, want 4", marked)
	}
}

// TestEachChangeIsBetweenItsNeighbours: from the level since the change before it to the level until the next one.
func TestEachChangeIsBetweenItsNeighbours(t *testing.T) {
	h, _, err := History(batches(t, append(append(levels(12, 130), levels(12, 200)...), levels(12, 150)...)...))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		point         int
		before, after float64
		verdict       string
	}{{12, 130, 200, model.Worse}, {24, 200, 150, model.Better}}
	for _, trend := range h.Trends {
		if trend.Metric != "takeover_ms" {
			continue
		}
		if len(trend.Changes) != len(want) {
			t.Fatalf("%s: %+v", trend.Scenario, trend.Changes)
		}
		for i, got := range trend.Changes {
			w := want[i]
			if got.Point != w.point || got.Verdict != w.verdict || math.Abs(got.Before/w.before-1) > 0.04 || math.Abs(got.After/w.after-1) > 0.04 {
				t.Errorf("%s: change %d is %+v, want %+v", trend.Scenario, i, got, w)
			}
		}
		for i, p := range trend.Points {
			if p.Batch != i {
				t.Fatalf("%s: point %d is of batch %d", trend.Scenario, i, p.Batch)
			}
		}
	}
}

func TestAFolderWithoutBatchesIsRefused(t *testing.T) {
	if _, _, err := History(t.TempDir()); err == nil {
		t.Error("an empty history is accepted")
	}
}
