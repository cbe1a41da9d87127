package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	found []summary.Violation
	err   error // the first error in storing
}

// open makes the folder and checks that it is writable, so that a long search does not
// end with an error in storing.
func (f *findings) open() error {
	f.found = []summary.Violation{}
	if f.dir == "" {
		return nil
	}
	if err := makeFolder("--out", f.dir); err != nil {
		return err
	}
	probe, err := os.CreateTemp(f.dir, ".writable-*")
	if err != nil {
		return badInput("--out: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// add records a violation and stores its scenario, text, under a unique name.
func (f *findings) add(v summary.Violation, name, text string) {
	if f.dir != "" && text != "" {
		v.Scenario = name + ".scn"
		f.err = errors.Join(f.err, os.WriteFile(filepath.Join(f.dir, v.Scenario), []byte(text), 0o644))
	}
	f.found = append(f.found, v)
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
	f.err = errors.Join(f.err, err)
}

// close stores the summary.
func (f *findings) close(s summary.Summary) error {
	s.Version, s.Program, s.Violations = summary.Version, version, f.found
	if f.dir == "" {
		return f.err
	}
	file, err := os.Create(filepath.Join(f.dir, summary.File))
	if err != nil {
		return errors.Join(f.err, err)
	}
	return errors.Join(f.err, summary.Write(file, s), file.Close())
}
