package reports

import (
	"cmp"
	"errors"
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
	errs   []error
}

// Visit lays out one run. It may be called from several goroutines.
func (a *Axes) Visit(index int, run *load.Run, shown *model.Run) {
	if len(run.Events) == 0 {
		return
	}
	axis := timeline.Build(run.Events)
	packed, err := page.Pack(axis, frames(run, axis))
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.errs = append(a.errs, err)
		return
	}
	if a.packed == nil {
		a.packed = map[int]page.Packed{}
	}
	a.packed[index] = packed
}

// Write writes the page of the suite that Build returned, to lie in a folder.
func (a *Axes) Write(w io.Writer, s *model.Suite, folder string) error {
	d := page.Data{Suite: *s, Timelines: make([]page.Packed, len(s.Runs)), Folders: make([]string, len(s.Runs))}
	for i, run := range s.Runs {
		d.Timelines[i] = a.packed[i]
		d.Folders[i] = between(folder, run.Dir)
	}
	return errors.Join(errors.Join(a.errs...), page.Write(w, d))
}

// between is the way from a folder to another, as a link writes it.
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

// The packets that a page shows around RSTs: so many to each side, of so many of the
// first RSTs at each edge. The capture has them all.
const (
	framesBeside = 4
	framesOfRSTs = 40
)

// frames are the packets around the first RSTs, as far as a capture was kept. One
// that cannot be read in full gives what it has; that it is damaged shows where
// someone opens it.
func frames(run *load.Run, axis timeline.Run) []page.Frame {
	if len(axis.RSTs) == 0 {
		return nil
	}
	start := timeline.Start(run.Events)
	var kept []page.Frame
	for _, file := range run.Evidence.Files {
		if file.Kind != evidence.Capture {
			continue
		}
		all, _ := evidence.Frames(run.Dir, file)
		kept = append(kept, beside(all, axis.RSTs, file.Edge, start)...)
	}
	slices.SortStableFunc(kept, func(x, y page.Frame) int { return cmp.Compare(x.At, y.At) })
	return kept
}

// beside picks of an edge's frames those next to its first RSTs, each once.
func beside(all []evidence.Frame, rsts []timeline.RST, edge string, start clock.Instant) []page.Frame {
	var kept []page.Frame
	var last clock.Instant
	count := 0
	for _, rst := range rsts {
		if rst.Edge != edge {
			continue
		}
		if count++; count > framesOfRSTs {
			break
		}
		for _, f := range evidence.Near(all, start.Add(rst.At.Duration()), framesBeside) {
			if f.At > last {
				last = f.At
				kept = append(kept, page.Frame{At: timeline.At(f.At.Sub(start).Microseconds()), Edge: f.Port, Text: f.Text})
			}
		}
	}
	return kept
}
