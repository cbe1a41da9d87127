package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"baton/impl/trace"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/origin"
	"baton/scenarios/plan"
	"baton/scenarios/summary"
	"baton/sim"
)

// findings is the folder in which a campaign or an exploration stores its summary and,
// for each violation, a scenario file and its run. Without a folder nothing is stored.
type findings struct {
	dir   string
	begun summary.Summary // stored until the search ends
	found []summary.Violation
	err   error // the first error in storing
}

// open makes the folder, removes the findings of an earlier search from it, and stores the summary of a
// search that has just begun. If the process is killed, that one remains and says that the search is
// unfinished. A folder that is not writable is an error now, not after a long search.
func (f *findings) open(begun summary.Summary) error {
	f.found = []summary.Violation{}
	if f.dir == "" {
		return nil
	}
	if err := makeFolder("--out", f.dir); err != nil {
		return err
	}
	if err := f.clear(); err != nil {
		return badInput("--out: %w", err)
	}
	begun.Complete = false
	f.begun = begun
	if err := f.store(begun); err != nil {
		return badInput("--out: %w", err)
	}
	return nil
}

// clear removes what the summary in the folder lists: a report would count those violations as this
// search's. Other files stay, and so does the rest of a summary that cannot be read.
func (f *findings) clear() error {
	file, err := os.Open(filepath.Join(f.dir, summary.File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	earlier, err := summary.Read(file)
	if err != nil {
		return nil
	}
	for _, v := range earlier.Violations {
		for _, name := range []string{v.Scenario, v.Dir} {
			if name != filepath.Base(name) || !strings.HasPrefix(name, campaignPrefix) && !strings.HasPrefix(name, explorePrefix) {
				continue // not a name that a search gives
			}
			if err := os.RemoveAll(filepath.Join(f.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// The names of stored violations begin with these.
const (
	campaignPrefix = "campaign-"
	explorePrefix  = "explore-"
)

// add records a violation and stores its scenario, text, under a unique name.
func (f *findings) add(v summary.Violation, name, text string) {
	if f.dir != "" && text != "" {
		v.Scenario = name + ".scn"
		f.err = errors.Join(f.err, os.WriteFile(filepath.Join(f.dir, v.Scenario), []byte(text), 0o644))
	}
	f.found = append(f.found, v)
	f.err = errors.Join(f.err, f.store(f.begun))
}

// run repeats the scenario of the latest violation and stores trace and result; the
// verdict must be the one that the search saw.
func (f *findings) run(ctx context.Context, name string, p *plan.Plan, seed uint64) {
	if f.dir == "" {
		return
	}
	job := scenarios.Job{Plan: p, World: plan.Sim, SUT: "reference", Seed: seed, Dir: filepath.Join(f.dir, name),
		Origin: &trace.Origin{Host: origin.Here(version)},
		NewWorld: func(stage scenarios.Stage) (scenarios.World, error) {
			return sim.NewWorld(stage.Plan, sim.Config{Seed: seed, Recorder: stage.Recorder, Evidence: stage.EvidenceLimit > 0})
		}}
	verdict, err := job.Execute(ctx)
	if err == nil && verdict.Verdict != check.Fail {
		err = fmt.Errorf("%s: its replay is %s: scenario and seed do not determine the run", name, verdict.Verdict)
	}
	f.found[len(f.found)-1].Dir = name
	f.err = errors.Join(f.err, err, f.store(f.begun))
}

// close stores the final summary.
func (f *findings) close(s summary.Summary) error { return errors.Join(f.err, f.store(s)) }

// store replaces the summary in one step.
func (f *findings) store(s summary.Summary) error {
	s.Version, s.Program, s.Violations = summary.Version, version, f.found
	if f.dir == "" {
		return nil
	}
	file, err := os.CreateTemp(f.dir, "."+summary.File+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // it is gone once it is renamed
	if err := errors.Join(summary.Write(file, s), file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(f.dir, summary.File))
}
