package reports

import (
	"strings"
	"testing"

	"baton/reports/model"
	"baton/scenarios/check"
	"baton/scenarios/coverage"
	"baton/scenarios/plan"
)

// TestCoverageOfSeveralRuns: cells are summed by world, a cell that was never met is a hole, and
// one run is enough to keep a claim of the suite.
func TestCoverageOfSeveralRuns(t *testing.T) {
	crash := coverage.Cell{Fault: "crash", Role: "Master", Phase: coverage.Established, World: plan.Sim}
	rare := coverage.Cell{Fault: "crash", Role: "Yielding", Phase: coverage.Established, World: plan.Sim}
	real := coverage.Cell{Fault: "kill", Role: "Backup", Phase: coverage.Idle, World: plan.Netns}
	seen := func(claim string, was bool) check.Sometime {
		return check.Sometime{Claim: claim, Seen: was, Detail: "so"}
	}
	runs := []gathered{
		{key: rowKey{"a", plan.Sim, "", ""}, cells: []coverage.Cell{crash, rare}, sometimes: []check.Sometime{seen("lb1 is Fault", false)}},
		{key: rowKey{"b", plan.Sim, "", ""}, cells: []coverage.Cell{crash}, sometimes: []check.Sometime{seen("lb1 is Fault", true), seen("masters == 2", false)}},
		{key: rowKey{"b", plan.Netns, "", ""}, cells: []coverage.Cell{real}},
	}
	var s model.Suite
	cover(&s, runs)
	if len(s.Coverage) != 2 || s.Coverage[0].World != plan.Netns || s.Coverage[1].World != plan.Sim {
		t.Fatalf("%+v", s.Coverage)
	}
	sim, all := s.Coverage[1], len(coverage.Possible(plan.Sim))
	if sim.Possible != all || sim.Met != 1 || len(sim.Holes) != all-1 || len(sim.Cells) != 2 || sim.Cells[0].Runs != 2 {
		t.Errorf("%d of %d met, %d holes, cells %+v", sim.Met, sim.Possible, len(sim.Holes), sim.Cells)
	}
	var out strings.Builder
	tellCoverage(&out, &s)
	if text := out.String(); strings.Contains(text, "lb1 is Fault") || !strings.Contains(text, "never seen in 1 runs of b: sometimes masters == 2: so\n") || !strings.Contains(text, "coverage in sim: 1 of ") {
		t.Error(text)
	}
	if m := s.Sometimes[0]; m.Seen != 1 || m.Runs != 2 || strings.Join(m.Scenarios, " ") != "a b" {
		t.Errorf("%+v", m)
	}
}
