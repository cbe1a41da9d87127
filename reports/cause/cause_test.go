package cause

import (
	"os"
	"path/filepath"
	"testing"

	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim"
)

// Passing runs contain no misdeeds. What the report calls a cause must not occur in healthy runs.
func TestNothingIsFoundInRunsThatPass(t *testing.T) {
	files, err := filepath.Glob("../../scenarios/*.scn")
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.Parse(file, source)
		if err != nil {
			t.Fatal(err)
		}
		if p.IsControl(plan.Sim) {
			continue
		}
		dir := t.TempDir()
		job := scenarios.Job{Plan: p, World: plan.Sim, SUT: "reference", Seed: 1, Dir: dir, Keep: "none",
			NewWorld: func(s scenarios.Stage) (scenarios.World, error) {
				return sim.NewWorld(p, sim.Config{Seed: 1, Recorder: s.Recorder})
			}}
		verdict, err := job.Execute(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if verdict.Verdict != check.Pass {
			continue
		}
		passed++
		events, err := scenarios.ReadTrace(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range misdeeds(events) {
			t.Errorf("%s: at %v: %s", p.Name, m.At, m.What)
		}
	}
	if passed < 15 {
		t.Errorf("only %d runs passed", passed)
	}
}
