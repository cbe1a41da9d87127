package serve

import (
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"baton/reports/load"
	"baton/reports/model"
)

// States of a run without a verdict.
const (
	Running    = "RUNNING"    // its scenario is stored, its result is not yet
	Unfinished = "UNFINISHED" // the same, and nothing was written for longer than quiet
)

const (
	// quiet is how long a run without a result may write nothing before it counts as unfinished. A
	// simulated run writes nothing until it ends.
	quiet = 10 * time.Minute
	// settled is how long an unreadable result may still be in the process of being written.
	settled = 5 * time.Second
	// entriesMost limits the files and folders of a scan.
	entriesMost = 1_000_000
)

// Run is a run as the index shows it.
type Run struct {
	// Path is its folder relative to the served one, with slashes; "." is the served folder
	// itself.
	Path     string   `json:"path"`
	Scenario string   `json:"scenario"`
	World    string   `json:"world,omitempty"`
	SUT      string   `json:"sut,omitempty"`
	Settings []string `json:"settings,omitempty"`
	Seed     uint64   `json:"seed"`
	// Verdict is the stored verdict, Running, or Unfinished.
	Verdict string `json:"verdict"`
	// Began is the wall clock time at which it began, RFC 3339.
	Began string `json:"began"`
	// Broke says what failed. It is set for the newest run of a scenario that did not pass.
	Broke string `json:"broke,omitempty"`

	dir   string
	size  int64 // of its trace
	began time.Time
	files signature
}

// signature changes when a file of the run changes.
type signature struct {
	result, trace, scenario stamp
}

type stamp struct {
	size    int64
	changed time.Time
}

// newest is the latest time at which one of the files was written.
func (s signature) newest() time.Time {
	newest := s.scenario.changed
	for _, t := range []time.Time{s.result.changed, s.trace.changed} {
		if t.After(newest) {
			newest = t
		}
	}
	return newest
}

// scanner finds the runs of a folder. It caches runs whose files have not changed.
type scanner struct {
	root   string
	reader *load.Reader
	known  map[string]Run // runs with a verdict, by folder
}

func newScanner(root string) *scanner {
	return &scanner{root: root, reader: load.NewReader(), known: map[string]Run{}}
}

// found is the content of one folder.
type found struct {
	files signature
	links []string // names of symbolic links in it
}

// scan returns the present runs by folder.
func (s *scanner) scan(now time.Time) ([]Run, []model.Problem) {
	folders, problems := s.walk()
	var runs []Run
	known := map[string]Run{}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		f := folders[dir]
		if len(f.links) > 0 {
			problems = append(problems, model.Problem{File: s.below(dir), What: fmt.Sprintf("has symbolic links, which are not followed: %s", strings.Join(f.links, ", ")), Kept: "the other runs"})
			continue
		}
		run, ok := s.known[dir]
		if !ok || run.files != f.files {
			var trouble []model.Problem
			run, trouble = s.look(dir, f.files, now)
			problems = append(problems, trouble...)
		}
		if run.Verdict != Running && run.Verdict != Unfinished {
			known[dir] = run
		}
		runs = append(runs, run)
	}
	s.known = known
	return runs, problems
}

// walk returns the folders that contain a file of a run.
func (s *scanner) walk() (map[string]*found, []model.Problem) {
	folders, entries := map[string]*found{}, 0
	links := map[string][]string{}
	var problems []model.Problem
	err := filepath.WalkDir(s.root, func(path string, entry fs.DirEntry, err error) error {
		if entries++; entries > entriesMost {
			problems = append(problems, model.Problem{File: ".", What: fmt.Sprintf("has more than %d files", entriesMost), Kept: "the first of them"})
			return filepath.SkipAll
		}
		dir := filepath.Dir(path)
		switch {
		case err != nil:
			problems = append(problems, model.Problem{File: s.below(path), What: err.Error(), Kept: "the other folders"})
			return nil
		case entry.Type()&fs.ModeSymlink != 0:
			links[dir] = append(links[dir], entry.Name())
		case entry.Type().IsRegular():
			note(folders, dir, entry)
		}
		return nil
	})
	if err != nil {
		problems = append(problems, model.Problem{File: ".", What: err.Error()})
	}
	for dir, names := range links {
		if f := folders[dir]; f != nil {
			f.links = names
		}
	}
	return folders, problems
}

// note records a file if its name is one of those that make a folder a run.
func note(folders map[string]*found, dir string, entry fs.DirEntry) {
	if !slices.Contains([]string{load.ResultFile, load.TraceFile, load.ScenarioFile}, entry.Name()) {
		return
	}
	info, err := entry.Info()
	if err != nil {
		return // it was deleted after the folder was read
	}
	f := folders[dir]
	if f == nil {
		f = &found{}
		folders[dir] = f
	}
	at := stamp{info.Size(), info.ModTime()}
	switch entry.Name() {
	case load.ResultFile:
		f.files.result = at
	case load.TraceFile:
		f.files.trace = at
	case load.ScenarioFile:
		f.files.scenario = at
	}
}

// look reads the summary of a run.
func (s *scanner) look(dir string, files signature, now time.Time) (Run, []model.Problem) {
	run := Run{Path: s.below(dir), dir: dir, files: files, size: files.trace.size, began: files.newest()}
	var glance load.Glance
	if !files.result.changed.IsZero() {
		glance = s.reader.Glance(dir)
	}
	switch age := now.Sub(files.newest()); {
	case glance.Stored != nil:
		run.Verdict = string(glance.Stored.Verdict)
	case age < settled, files.result.changed.IsZero() && age < quiet:
		run.Verdict, glance.Problems = Running, nil
	default:
		run.Verdict = Unfinished
	}
	meta := glance.Meta
	run.Scenario, run.World, run.SUT, run.Seed = meta.Scenario, meta.World, meta.SUT, meta.Seed
	if run.Scenario == "" {
		run.Scenario = s.reader.Scenario(dir)
	}
	if run.Scenario == "" {
		run.Scenario = "unknown"
	}
	if origin := meta.Origin; origin != nil {
		run.Settings = origin.Set
		if began, err := time.Parse(time.RFC3339, origin.Began); err == nil {
			run.began = began
		}
	}
	run.Began = run.began.UTC().Format(time.RFC3339)
	for i := range glance.Problems {
		glance.Problems[i].File = s.below(glance.Problems[i].File)
	}
	return run, glance.Problems
}

// below returns a path relative to the served folder, with slashes.
func (s *scanner) below(path string) string {
	relative, err := filepath.Rel(s.root, path)
	if err != nil {
		relative = path
	}
	return filepath.ToSlash(relative)
}
