package reports

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"baton/impl/trace"
	"baton/reports/load"
	"baton/reports/model"
	"baton/scenarios/check"
	"baton/scenarios/coverage"
)

// Visit is called with each run and its index in Suite.Runs, by several goroutines and in any
// order. The run is not kept after the call. Visit returns the problems of the run.
type Visit func(index int, run *load.Run) []model.Problem

// Build reads everything below the folders, judges the runs again, and summarizes them. visit may
// be nil. Files that cannot be used are among the Suite's problems.
func Build(dirs []string, visit Visit) *model.Suite {
	return build(load.Find(dirs), visit)
}

// BuildRuns does the same for runs in exactly these folders, in their order.
func BuildRuns(runs []string, visit Visit) *model.Suite {
	return build(load.Found{Runs: runs}, visit)
}

func build(found load.Found, visit Visit) *model.Suite {
	s := &model.Suite{Version: model.Version, Counts: map[string]int{}, Environments: []model.Environment{}, Rows: []model.Row{},
		Runs: []model.Run{}, Problems: found.Problems}
	gathered := gather(found.Runs, visit)
	sum(s, gathered)
	cover(s, gathered)
	var problems []model.Problem
	s.Campaigns, problems = load.Searches(found.Searches)
	s.Problems = append(s.Problems, problems...)
	takeMutants(s, found.Mutants)
	if s.Problems == nil {
		s.Problems = []model.Problem{}
	}
	s.Outcome = outcome(s)
	return s
}

// gathered is the part of a run that is kept after its trace was read.
type gathered struct {
	model.Run
	key       rowKey
	claims    []claim
	cells     []coverage.Cell  // covered combinations; only of a conclusive run
	sometimes []check.Sometime // only of a conclusive run
	doc       string
	plan      string // digest of the plan
	control   []string
	skipped   []string
	host      trace.Host
	problems  []model.Problem
}

// gather reads the runs in parallel, one per core.
func gather(dirs []string, visit Visit) []gathered {
	runs := make([]gathered, len(dirs))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(dirs)) {
		workers.Go(func() {
			reader := load.NewReader()
			for i := range next {
				run := reader.Read(dirs[i])
				runs[i] = digest(run)
				if visit != nil {
					runs[i].problems = append(runs[i].problems, visit(i, run)...)
				}
			}
		})
	}
	for i := range dirs {
		next <- i
	}
	close(next)
	workers.Wait()
	return runs
}

func takeMutants(s *model.Suite, files []string) {
	for _, file := range files {
		m, err := load.Mutants(file)
		switch {
		case err != nil:
			s.Problems = append(s.Problems, model.Problem{File: file, What: err.Error()})
		case s.Mutants != nil:
			s.Problems = append(s.Problems, model.Problem{File: file, What: "is a second result of the mutants", Kept: s.Mutants.File})
		default:
			s.Mutants = m
		}
	}
}

// severity orders verdicts from harmless to worst.
var severity = []string{"", "SKIP", "PASS", "INCONCLUSIVE", "FAIL"}

// worse returns the more severe verdict.
func worse(a, b string) string {
	if slices.Index(severity, b) > slices.Index(severity, a) {
		return b
	}
	return a
}

// outcome is the worst verdict of the report. A missing shard or an unreadable run counts
// as INCONCLUSIVE.
func outcome(s *model.Suite) string {
	worst := "SKIP"
	for _, run := range s.Runs {
		worst = worse(worst, run.Verdict)
	}
	for _, c := range s.Campaigns {
		switch {
		case len(c.Violations) > 0:
			worst = "FAIL"
		case len(c.Lacking) > 0 || c.Interrupted || c.Done < c.Planned:
			worst = worse(worst, "INCONCLUSIVE")
		default:
			worst = worse(worst, "PASS")
		}
	}
	if m := s.Mutants; m != nil {
		if m.Survived+m.Stale > 0 {
			worst = "FAIL"
		} else {
			worst = worse(worst, "PASS")
		}
	}
	return worst
}

// place formats the position of a problem: file, or file:line.
func place(p model.Problem) string {
	if p.Line > 0 {
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return p.File
}
