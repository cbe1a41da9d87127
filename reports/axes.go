package reports

import (
	"cmp"
	"io"
	"path/filepath"
	"slices"
	"sync"

	"baton/impl/clock"
	"baton/reports/load"
	"baton/reports/model"
	"baton/reports/page"
	"baton/reports/timeline"
	"baton/scenarios/evidence"
)

// Axes collects the time axes of runs while Build reads them, compressed, so that no
// trace is held for the page. The zero value is ready; Visit is for Build.
type Axes struct {
	mu     sync.Mutex
	packed map[int]page.Packed
}

// Visit computes the time axis of one run. It may be called from several goroutines.
func (a *Axes) Visit(index int, run *load.Run) []model.Problem {
	if len(run.Events) == 0 {
		return nil
	}
	axis := timeline.Build(run.Events)
	damage := largestDamage(run)
	near, problems := frames(run, axis, damage)
	logs, unread := logs(run)
	problems = append(problems, unread...)
	connections, unread := tables(run)
	problems = append(problems, unread...)
	packed, err := page.Pack(axis, page.Beside{Frames: near, Script: script(run), Logs: logs, Clusters: clusters(run, damage), Tables: connections})
	if err != nil {
		return append(problems, model.Problem{File: filepath.Join(run.Dir, load.TraceFile), What: err.Error(), Kept: "the run without its time axis"})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.packed == nil {
		a.packed = map[int]page.Packed{}
	}
	a.packed[index] = packed
	return problems
}

// Write writes the page of the suite that Build returned. folder is where the page will be stored.
func (a *Axes) Write(w io.Writer, s *model.Suite, folder string) error {
	d := page.Data{Suite: *s, Timelines: make([]page.Packed, len(s.Runs)), Folders: make([]string, len(s.Runs))}
	for i, run := range s.Runs {
		d.Timelines[i] = a.packed[i]
		d.Folders[i] = between(folder, run.Dir)
	}
	return page.Write(w, d)
}

// between is the relative path from a folder to another, for links.
func between(from, to string) string {
	from, err := filepath.Abs(from)
	if err == nil {
		to, err = filepath.Abs(to)
	}
	if err == nil {
		if relative, err := filepath.Rel(from, to); err == nil {
			return filepath.ToSlash(relative)
		}
	}
	return filepath.ToSlash(to)
}

// How many packets a page shows before and after a RST, and for how many RSTs of each edge. The
// capture has all of them.
const (
	framesBeside = 4
	framesOfRSTs = 40
)

// frames returns the packets around the first RSTs and around the start of each cluster of damage,
// if the run kept a capture that can be read.
func frames(run *load.Run, axis timeline.Run, damage []evidence.Cluster) ([]page.Frame, []model.Problem) {
	var kept []page.Frame
	var problems []model.Problem
	start := timeline.Start(run.Events)
	for _, file := range run.Evidence.Files {
		instants := shownRSTs(axis.RSTs, file.Edge, start)
		for _, cluster := range damage {
			instants = append(instants, cluster.From)
		}
		if file.Kind != evidence.Capture || len(instants) == 0 {
			continue
		}
		near, err := evidence.Near(run.Dir, file, instants, framesBeside)
		if err != nil {
			problems = append(problems, model.Problem{File: filepath.Join(run.Dir, filepath.Base(file.File)), What: err.Error(), Kept: "the packets before"})
		}
		for _, f := range near {
			kept = append(kept, page.Frame{At: timeline.At(f.At.Sub(start).Microseconds()), Edge: f.Port, Text: f.Text})
		}
	}
	slices.SortStableFunc(kept, func(x, y page.Frame) int { return cmp.Compare(x.At, y.At) })
	return kept, problems
}

// shownRSTs returns the times of the first RSTs of an edge.
func shownRSTs(rsts []timeline.RST, edge string, start clock.Instant) []clock.Instant {
	var instants []clock.Instant
	for _, rst := range rsts {
		if rst.Edge == edge && len(instants) < framesOfRSTs {
			instants = append(instants, start.Add(rst.At.Duration()))
		}
	}
	return instants
}
