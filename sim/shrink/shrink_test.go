package shrink_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"baton/scenarios/check"
	"baton/scenarios/plan"
	"baton/sim/shrink"
)

// failing parses a plan whose check of that name fails under seed 1.
func failing(t *testing.T, text, name string) shrink.Failure {
	t.Helper()
	p, found := plan.Check("x.scn", []byte(text))
	if errs := found.Errors(true); len(errs) > 0 {
		t.Fatal(errs)
	}
	f := shrink.Failure{Plan: p, Seed: 1, Check: name}
	v := run(t, f)
	if v.Verdict == check.Inconclusive || !fails(v, name) {
		t.Fatalf("%s does not fail: %v", name, v)
	}
	return f
}

func run(t *testing.T, f shrink.Failure) check.Verdict {
	t.Helper()
	v, _, err := shrink.Run(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func fails(v check.Verdict, name string) bool {
	return slices.ContainsFunc(v.Checks, func(c check.Check) bool { return c.Name == name && c.Verdict == check.Fail })
}

// Scenarios that fail, each for another reason, with more in them than that takes.
const (
	// Both paths of the heartbeat lose what the nodes say, and so does the sync stream: two MASTERs.
	deafPair = `scenario deaf-pair
topo     pair clients=3 backends=2
config   bfd.tx=40ms
config   lb1 ha.priority=200
service  web tcp 198.18.0.100:80
traffic  web sessions count=20
chaos    clients loss=0.9 delay=4ms jitter=2ms
chaos    sync loss=0.97 duplicate=0.1
chaos    garp.lost=0.5 stall=20s stall.for=10ms until=30s
always   masters <= 1 ; rst == 0 ; announce
@1s      crash lb2
@3s      restore lb2
@9s      end
`
	// Two nodes leave at once: nobody serves.
	bothStop = `scenario both-stop
topo     pair clients=1 backends=2
service  web tcp 198.18.0.100:80
service  dns udp 198.18.0.100:53
traffic  probe probe udp rate=90/s
traffic  web sessions count=9
always   gap(probe) < 500ms
always   corrupt == 0
@0s      wait lb1 is Master and lb2 insync within 3s
@2s      kill lb1 lb2
@5s      restore lb1
@9s      end
`
)

// TestNoLineOfAShrunkScenarioCanBeDeleted: of a minimal failure no line can be deleted. What shrinks it
// does not say so itself: each line of the text is taken out here, one at a time.
func TestNoLineOfAShrunkScenarioCanBeDeleted(t *testing.T) {
	control, err := os.ReadFile("../../scenarios/control-restored-master-preempts.scn")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ text, check, keeps string }{
		{string(control), "rst", "ha.gates=off"},
		{strings.Replace(string(control), "control  rst, lost\n", "", 1), "lost", "control  "},
		{deafPair, "masters", "chaos    clients loss="},
		{bothStop, "gap", "kill lb1"},
	} {
		before := failing(t, tt.text, tt.check)
		after, err := shrink.Minimize(t.Context(), before, shrink.Options{})
		if err != nil || !after.Minimal {
			t.Fatalf("%s: minimal %v after %d runs: %v", tt.check, after.Minimal, after.Runs, err)
		}
		small := plan.Print(after.Plan)
		t.Logf("%s: %d runs:\n%s", tt.check, after.Runs, small)
		if strings.Count(small, "\n") >= strings.Count(plan.Print(before.Plan), "\n") || !strings.Contains(small, tt.keeps) {
			t.Errorf("%s: it is not small, or lacks %q", tt.check, tt.keeps)
		}
		again, found := plan.Check("small.scn", []byte(small))
		if errs := found.Errors(false); len(errs) > 0 {
			t.Fatalf("%s: it is not fit to be kept: %v", tt.check, errs)
		}
		v := run(t, shrink.Failure{Plan: again, Seed: 1})
		if !fails(v, tt.check) || (v.Verdict == check.Pass) != (len(again.Control) > 0) || v.Verdict == check.Inconclusive {
			t.Errorf("%s: as a file it is %s: %v", tt.check, v.Verdict, v.Checks)
		}
		everyLineMatters(t, small, tt.check, v.Verdict)
	}
}

// everyLineMatters deletes the lines one by one, except those that every plan needs.
func everyLineMatters(t *testing.T, text, name string, verdict check.Outcome) {
	t.Helper()
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		word, _, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"doc", "topo", "tolerate", ""}, word) {
			continue
		}
		p, found := plan.Check("less.scn", []byte(strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "")))
		if len(found.Errors(true)) > 0 {
			continue
		}
		if v := run(t, shrink.Failure{Plan: p, Seed: 1}); fails(v, name) && v.Verdict == verdict {
			t.Errorf("%s fails without the line %q", name, line)
		}
	}
}

// TestAnEarlyEndKeepsTheBest: what is there when the runs are used up, or at Ctrl-C,
// is smaller than before and fails, and nobody calls it minimal.
func TestAnEarlyEndKeepsTheBest(t *testing.T) {
	before := failing(t, deafPair, "masters")
	ctx, cancel := context.WithCancel(t.Context())
	for _, tt := range []struct {
		ctx context.Context
		o   shrink.Options
	}{
		{t.Context(), shrink.Options{Tries: 9}},
		{ctx, shrink.Options{Smaller: func(_ shrink.Failure, tries int) {
			if tries > 5 {
				cancel()
			}
		}}},
	} {
		after, err := shrink.Minimize(tt.ctx, before, tt.o)
		if err != nil || after.Minimal || len(plan.Print(after.Plan)) >= len(plan.Print(before.Plan)) || !fails(run(t, after.Failure), "masters") {
			t.Errorf("minimal %v after %d runs:\n%s", after.Minimal, after.Runs, plan.Print(after.Plan))
		}
	}
}
