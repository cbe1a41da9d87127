package compare

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"baton/reports"
	"baton/reports/model"
	"baton/reports/stat"
	"baton/scenarios/metric"
)

// historyAlpha is the probability of marking a change in a series without one.
const historyAlpha = 0.01

// History reads a folder whose subfolders are batches, sorted by name, oldest first. A batch holds
// runs or a stored report. History finds where a figure changed its level; it also returns the
// problems of the batches.
func History(dir string) (*model.History, []model.Problem, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	h := &model.History{Dir: dir, Batches: []string{}, Trends: []model.Trend{}}
	var problems []model.Problem
	points := map[key]map[string][]model.Point{}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		suite, err := reports.Open(filepath.Join(dir, entry.Name()))
		if err != nil {
			problems = append(problems, model.Problem{File: filepath.Join(dir, entry.Name()), What: err.Error(), Kept: "the other batches"})
			continue
		}
		problems = append(problems, suite.Problems...)
		h.Batches = append(h.Batches, entry.Name())
		addBatch(points, suite, len(h.Batches)-1)
	}
	if len(h.Batches) == 0 {
		return nil, problems, fmt.Errorf("no folder in %s holds runs", dir)
	}
	for _, k := range keysOf(points) {
		for _, m := range metrics {
			if series := points[k][m.Name]; len(series) > 0 {
				h.Trends = append(h.Trends, trend(k, m, series))
			}
		}
	}
	return h, problems, nil
}

func addBatch(points map[key]map[string][]model.Point, s *model.Suite, batch int) {
	for k, row := range rows(s) {
		if points[k] == nil {
			points[k] = map[string][]model.Point{}
		}
		for _, f := range row.Figures {
			points[k][f.Name] = append(points[k][f.Name], model.Point{Batch: batch, N: len(f.Values), Median: f.Median, Min: f.Min, Max: f.Max})
		}
	}
}

func keysOf(points map[key]map[string][]model.Point) []key {
	var keys []key
	for k := range points {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, byName)
	return keys
}

// trend marks the changes of a series that are large enough to report.
func trend(k key, m metric.Metric, series []model.Point) model.Trend {
	t := model.Trend{Scenario: k.String(), World: k.world, Metric: m.Name, Unit: unit(m), Points: series, Changes: []model.Shift{}}
	medians := make([]float64, len(series))
	for i, p := range series {
		medians[i] = p.Median
	}
	places := stat.Changes(medians, historyAlpha)
	for i, place := range places {
		from, to := 0, len(medians)
		if i > 0 {
			from = places[i-1].At
		}
		if i+1 < len(places) {
			to = places[i+1].At
		}
		before, after := stat.Summarize(medians[from:place.At]).Median, stat.Summarize(medians[place.At:to]).Median
		if !matters(m, before, after) {
			continue
		}
		verdict := model.Better
		if after > before {
			verdict = model.Worse
		}
		t.Changes = append(t.Changes, model.Shift{Point: place.At, Before: before, After: after, P: place.P, Verdict: verdict})
	}
	return t
}
