package mutants

import (
	"maps"
	"path/filepath"
	"testing"
)

// TestHints: a check that killed a mutant is stored and found again, if it can run alone.
func TestHints(t *testing.T) {
	h := Hints{}
	for name, kill := range map[string]*Kill{
		"core":    {Check: "TestALease/late", Where: "./impl/node"},
		"world":   {Check: "lost", Where: "crash-master seed 2"},
		"drawn":   {Check: "served", Where: "campaign-17 seed 17"},
		"hang":    {Check: "hang", Where: "./impl/node"},
		"alive":   nil,
		"strange": {Check: "panic", Where: ""},
	} {
		h.Note(Outcome{Name: name, Kill: kill})
	}
	want := Hints{"core": "TestALease/late", "world": "crash-master seed 2", "drawn": "campaign-17 seed 17"}
	if !maps.Equal(h, want) {
		t.Errorf("hints %v, want %v", h, want)
	}
	file := filepath.Join(t.TempDir(), "hints.txt")
	if none, err := LoadHints(file); err != nil || len(none) != 0 {
		t.Errorf("without a file: %v, %v", none, err)
	}
	if err := h.Store(file); err != nil {
		t.Fatal(err)
	}
	if again, err := LoadHints(file); err != nil || !maps.Equal(again, want) {
		t.Errorf("loaded %v, %v; want %v", again, err, want)
	}
	list := []Mutant{{Name: "core", Suite: "./impl/node"}, {Name: "unseen", Suite: "./impl/node", Test: "TestB"}, {Name: "world", Suite: SimSuite},
		{Name: "core", Suite: "./netns", Test: "TestNetns", Spec: "it holds"}}
	if got := h.test(list[0]); got != "TestALease/late" || got.pattern() != "^TestALease$/^late$" {
		t.Errorf("the test to run first is %q, with the pattern %s", got, got.pattern())
	}
	if got := h.test(list[3]); got != "" {
		t.Errorf("the test to run before a spec is %q", got)
	}
	for check, want := range map[string]bool{"TestALease/late": true, "TestALease/late/more": true, "panic": true, "TestALease": false, "TestALease/later": false} {
		if got := Hint("TestALease/late").failed(&Kill{Check: check}); got != want {
			t.Errorf("a failure of %s counts for the hint: %v", check, got)
		}
	}
	if got := (Hints{"core": "TestALease"}).test(Mutant{Name: "core", Test: "TestALease/early"}); got != "" {
		t.Errorf("the test to run before a subtest is %q", got)
	}
	if got := Hint("TestX/a+b_(c)").pattern(); got != `^TestX$/^a\+b_\(c\)$` {
		t.Errorf("the pattern of a subtest is %s", got)
	}
	if got := Baselines(h.Narrow(list[:3])); len(got) != 2 || got[0].Test != "^TestALease$/^late$|TestB" || got[1].Suite != SimSuite {
		t.Errorf("the suites without a mutant are %+v", got)
	}
	if got := h.Known(list); len(got) != 3 || got[1].Name != "world" || got[2].Spec == "" {
		t.Errorf("known %+v", got)
	}
	if list[0].Test != "" {
		t.Error("Narrow changed its argument")
	}
	now := Hints{"core": "TestALease/early", "unseen": "TestB", "world": "crash-master seed 1"}
	if got := h.Surprising(list, now); len(got) != 2 || got[0].Name != "core" || got[1].Name != "unseen" {
		t.Errorf("surprising %+v", got)
	}
	if got := h.world("core"); got != "" {
		t.Errorf("a test is taken for a case: %q", got)
	}
	plans, err := scenarios(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []Hint{want["world"], want["drawn"]} {
		if c, ok := caseNamed(plans, string(name)); !ok || c.Plan == nil || c.Seed == 0 {
			t.Errorf("%q is not found as a case: %+v", name, c)
		}
	}
	if _, ok := caseNamed(plans, "no-such-scenario seed 1"); ok {
		t.Error("found a case of a scenario that does not exist")
	}
}
