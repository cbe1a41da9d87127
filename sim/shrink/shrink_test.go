package shrink_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim/shrink"
)

// TestMinimizesTheSeedBug: of the control nothing remains but what makes it fail.
func TestMinimizesTheSeedBug(t *testing.T) {
	src, err := os.ReadFile("../../scenarios/control-restored-master-preempts.scn")
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse("control.scn", src)
	if err != nil {
		t.Fatal(err)
	}
	p.Control = nil
	p.Chaos = []plan.Chaos{{Key: "garp.lost", Value: "0.01", Guard: plan.Sim}}
	before := shrink.Failure{Plan: p, Seed: 1, Check: "rst"}
	after, tries := shrink.Minimize(context.Background(), before, shrink.Options{Tries: 150})
	v, _, err := shrink.Run(context.Background(), after)
	if err != nil || v.Verdict != check.Fail {
		t.Fatalf("the minimal plan does not fail: %s %v", v.Verdict, err)
	}
	small, large := plan.Print(after.Plan), plan.Print(p)
	t.Logf("%d runs:\n%s", tries, small)
	if strings.Count(small, "\n") >= strings.Count(large, "\n") || after.Plan.Traffic[0].Count >= 500 {
		t.Errorf("it is not small")
	}
	if len(after.Plan.Chaos) > 0 {
		t.Errorf("chaos that does not matter is left: %v", after.Plan.Chaos)
	}
	if _, err := plan.Parse("small.scn", []byte(small)); err != nil {
		t.Errorf("the minimal plan is no scenario file: %v", err)
	}
}
