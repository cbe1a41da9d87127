package serve

import (
	"cmp"
	"slices"
	"strings"

	"baton/reports/model"
)

// Index summarizes the runs of a folder. It is encoded as index.json.
type Index struct {
	Folder string `json:"folder"`
	// Last is the number of newest runs of a scenario that its history includes.
	Last int `json:"last"`
	// Counts counts the scenarios by the verdict of their newest run.
	Counts     map[string]int  `json:"counts"`
	Scenarios  []History       `json:"scenarios"`
	Running    []Run           `json:"running"`
	Unfinished []Run           `json:"unfinished"`
	Problems   []model.Problem `json:"problems"`
}

// History is one scenario in one world with its settings, over its last runs.
type History struct {
	Scenario     string   `json:"scenario"`
	World        string   `json:"world"`
	SUT          string   `json:"sut"`
	Settings     []string `json:"settings,omitempty"`
	Verdict      string   `json:"verdict"` // of the newest run
	Passed       int      `json:"passed"`
	Failed       int      `json:"failed"`
	Inconclusive int      `json:"inconclusive"`
	Skipped      int      `json:"skipped"`
	FlakeRate    float64  `json:"flake_rate"`
	// Red is the first failed run after the last passing one, over all runs; nil if there is none.
	Red *Run `json:"red_since,omitempty"`
	// Runs are the last runs, oldest first. Of is the number of all runs.
	Runs []Run `json:"runs"`
	Of   int   `json:"of"`
}

// Newest is the run that began last.
func (h History) Newest() Run { return h.Runs[len(h.Runs)-1] }

// index summarizes the runs. Scenarios that need attention come first.
func index(folder string, last int, runs []Run, problems []model.Problem) Index {
	x := Index{Folder: folder, Last: last, Counts: map[string]int{}, Scenarios: []History{}, Running: []Run{}, Unfinished: []Run{}, Problems: problems}
	rows := map[string][]Run{}
	for _, run := range runs {
		switch run.Verdict {
		case Running:
			x.Running = append(x.Running, run)
		case Unfinished:
			x.Unfinished = append(x.Unfinished, run)
		default:
			key := strings.Join(append([]string{run.Scenario, run.World, run.SUT}, run.Settings...), "\x00")
			rows[key] = append(rows[key], run)
		}
	}
	for _, of := range rows {
		h := history(last, of)
		x.Scenarios = append(x.Scenarios, h)
		x.Counts[h.Verdict]++
	}
	slices.SortFunc(x.Scenarios, func(a, b History) int {
		return cmp.Or(cmp.Compare(rank(a.Verdict), rank(b.Verdict)), strings.Compare(a.Scenario, b.Scenario), strings.Compare(a.World, b.World),
			strings.Compare(a.SUT, b.SUT), slices.Compare(a.Settings, b.Settings))
	})
	return x
}

// rank orders verdicts from worst to harmless.
func rank(verdict string) int {
	return slices.Index([]string{"FAIL", "INCONCLUSIVE", "PASS", "SKIP"}, verdict)
}

// history summarizes the runs of one scenario.
func history(last int, runs []Run) History {
	slices.SortStableFunc(runs, func(a, b Run) int {
		return cmp.Or(a.began.Compare(b.began), cmp.Compare(len(a.Path), len(b.Path)), strings.Compare(a.Path, b.Path))
	})
	newest := runs[len(runs)-1]
	h := History{Scenario: newest.Scenario, World: newest.World, SUT: newest.SUT, Settings: newest.Settings, Verdict: newest.Verdict, Of: len(runs),
		Red: redSince(runs), Runs: runs[max(0, len(runs)-last):]}
	for _, run := range h.Runs {
		switch run.Verdict {
		case "PASS":
			h.Passed++
		case "FAIL":
			h.Failed++
		case "INCONCLUSIVE":
			h.Inconclusive++
		default:
			h.Skipped++
		}
	}
	h.FlakeRate = model.FlakeRate(h.Passed, h.Failed)
	return h
}

// redSince returns the first failure since the last pass. INCONCLUSIVE runs do not count.
func redSince(runs []Run) (red *Run) {
	for i := range runs {
		switch {
		case runs[i].Verdict == "PASS":
			red = nil
		case runs[i].Verdict == "FAIL" && red == nil:
			red = &runs[i]
		}
	}
	return red
}

// passedBefore returns the last passing run of the same row before the one in a folder.
func (h History) passedBefore(path string) (Run, bool) {
	at := slices.IndexFunc(h.Runs, func(r Run) bool { return r.Path == path })
	for i := at - 1; i >= 0; i-- {
		if h.Runs[i].Verdict == "PASS" {
			return h.Runs[i], true
		}
	}
	return Run{}, false
}
