package mutants_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baton/sim/mutants"
)

// TestEveryMutantApplies: mutants must be updated with the code.
func TestEveryMutantApplies(t *testing.T) {
	list, err := mutants.Load(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 30 {
		t.Errorf("%d mutants, fewer than 30", len(list))
	}
	for _, m := range list {
		if _, err := m.Apply("../.."); err != nil {
			t.Error(err)
		}
	}
}

// TestWithoutClangAProgramsMutantIsNotRun: the mutant counts as not run, never as killed, and the
// whole run fails.
func TestWithoutClangAProgramsMutantIsNotRun(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	root := t.TempDir()
	file := "bpf/src/a.h"
	if err := os.MkdirAll(filepath.Join(root, "bpf", "src"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, file), []byte("x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := mutants.Runner{Root: root}
	o := r.Run(t.Context(), mutants.Mutant{Name: "m", Suite: "./bpf", Edits: []mutants.Edit{{File: file, Old: "x\n", New: "y\n"}}})
	results := mutants.Results{Clean: true}
	results.Add(o)
	var line, sum strings.Builder
	o.Write(&line)
	results.Sum(&sum)
	if results.OK() || !strings.Contains(line.String(), "not run: no clang") || !strings.Contains(sum.String(), "0 killed, 0 survived, 0 stale, 1 not run") {
		t.Errorf("OK %v\n%s%s", results.OK(), line.String(), sum.String())
	}
}

const header = "bug: b\nseen: s\ncatch: c\nsuite: sim\n"

func TestParse(t *testing.T) {
	m, err := mutants.Parse("m", []byte("bug:   it is\n       long\nseen:  s\ncatch: c\nsuite: ./impl/bfd\ntest:  TestA|TestB\nspec:  it holds\n"+
		"-- a.go --\n<<<<\n\told\n====\n\tnew\n\tmore\n>>>>\n<<<<\ngone\n====\n>>>>\n-- b.go --\n<<<<\nx\n====\ny\n>>>>\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []mutants.Edit{{"a.go", "\told\n", "\tnew\n\tmore\n"}, {"a.go", "gone\n", ""}, {"b.go", "x\n", "y\n"}}
	if m.Bug != "it is long" || m.Suite != "./impl/bfd" || m.Test != "TestA|TestB" || m.Spec != "it holds" || len(m.Edits) != len(want) {
		t.Fatalf("%+v", m)
	}
	for i := range want {
		if m.Edits[i] != want[i] {
			t.Errorf("edit %d: %q, want %q", i, m.Edits[i], want[i])
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a missing field", "bug: b\nseen: s\nsuite: sim\n-- a --\n<<<<\nx\n====\n>>>>\n", "catch is missing"},
		{"an unknown field", "cause: b\n", "fields are bug"},
		{"a field twice", header + "bug: again\n", "duplicate bug"},
		{"an unknown suite", "bug: b\nseen: s\ncatch: c\nsuite: all\n", "neither sim nor a package"},
		{"tests of the simulator", header + "test: TestX\n", "has no tests"},
		{"specs of no test", "bug: b\nseen: s\ncatch: c\nsuite: ./netns\nspec: x\n", "needs a test"},
		{"no edits", header, "changes nothing"},
		{"text outside of a hunk", header + "-- a --\nx\n", "outside of a hunk"},
		{"an open hunk", header + "-- a --\n<<<<\nx\n====\n", "has no >>>>"},
		{"a hunk that changes nothing", header + "-- a --\n<<<<\nx\n====\nx\n>>>>\n", "replaces nothing"},
	} {
		if _, err := mutants.Parse("m", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// TestBaselinesRunEveryTestThatAMutantNeeds: a kill by a test that also fails without the mutant
// proves nothing.
func TestBaselinesRunEveryTestThatAMutantNeeds(t *testing.T) {
	got := mutants.Baselines([]mutants.Mutant{
		{Suite: "./a", Test: "TestX"}, {Suite: "./b", Test: "TestY"}, {Suite: "./a", Test: "TestXY"}, {Suite: mutants.SimSuite},
		{Suite: "./b"}, {Suite: "./a", Test: "TestX"}, {Suite: "./b", Test: "TestZ"},
		{Suite: "./a", Test: "TestG", Spec: "it holds"}, {Suite: "./a", Test: "TestG", Spec: "it breaks"},
	})
	want := []struct{ suite, test, spec string }{{"./a", "TestX|TestXY", ""}, {"./b", "", ""}, {mutants.SimSuite, "", ""},
		{"./a", "TestG", "it holds|it breaks"}}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, w := range want {
		if got[i].Suite != w.suite || got[i].Test != w.test || got[i].Spec != w.spec || len(got[i].Edits) > 0 {
			t.Errorf("suite %d: %+v, want %+v", i, got[i], w)
		}
	}
}

// TestApplyNeedsTheOldTextOnce: a mutant whose old text is missing or ambiguous tests nothing.
func TestApplyNeedsTheOldTextOnce(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a.go"), []byte("one\n\ttwo\n\tthree\n\tthree\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	apply := func(old string) (string, error) {
		m := mutants.Mutant{Name: "m", Edits: []mutants.Edit{{File: "a.go", Old: old, New: "\tnew\n"}}}
		files, err := m.Apply(root)
		return files["a.go"], err
	}
	if got, err := apply("\ttwo\n"); err != nil || got != "one\n\tnew\n\tthree\n\tthree\n" {
		t.Errorf("%q, %v", got, err)
	}
	for old, want := range map[string]string{"\tfour\n": "0 times", "two\n": "0 times", "\tthree\n": "2 times"} {
		if _, err := apply(old); !errors.Is(err, mutants.ErrStale) || !strings.Contains(err.Error(), want) {
			t.Errorf("old text %q: error %v, want %q", old, err, want)
		}
	}
}

// TestAStaleMutantFailsTheRun: a mutant that no longer applies, or whose file is missing, counts
// and is stored as stale, and the whole run fails.
func TestAStaleMutantFailsTheRun(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a.go"), []byte("package a\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"a.go", "gone.go"} {
		m := mutants.Mutant{Name: "m", Bug: "b", Suite: mutants.SimSuite, Edits: []mutants.Edit{{File: file, Old: "x\n", New: "y\n"}}}
		r := mutants.Runner{Root: root}
		o := r.Run(t.Context(), m)
		results := mutants.Results{Version: mutants.ResultsVersion, Clean: true}
		results.Add(mutants.Outcome{Name: "other", Kill: &mutants.Kill{Check: "rst", Where: "w"}})
		if !results.OK() {
			t.Error("a killed mutant fails the run")
		}
		results.Add(o)
		var line, sum strings.Builder
		o.Write(&line)
		results.Sum(&sum)
		if results.OK() || !strings.Contains(line.String(), "stale") || !strings.Contains(sum.String(), "1 killed, 0 survived, 1 stale") {
			t.Errorf("%s: OK %v\n%s%s", file, results.OK(), line.String(), sum.String())
		}
		path := filepath.Join(root, "out", "mutants.json")
		if err := results.Store(path); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var stored mutants.Results
		if err := json.Unmarshal(text, &stored); err != nil || !reflect.DeepEqual(stored, results) || stored.Mutants[0].Outcome != mutants.Stale {
			t.Errorf("stored %v:\n%s", err, text)
		}
	}
}

// TestARunPassesOnlyIfAllMutantsAreKilled: a survivor, an error, a suite that fails without a mutant
// and an empty list fail the run.
func TestARunPassesOnlyIfAllMutantsAreKilled(t *testing.T) {
	killed := mutants.Outcome{Name: "k", Kill: &mutants.Kill{}}
	for what, c := range map[string]struct {
		clean    bool
		outcomes []mutants.Outcome
	}{
		"none":       {true, nil},
		"unclean":    {false, []mutants.Outcome{killed}},
		"a survivor": {true, []mutants.Outcome{killed, {Name: "s"}}},
		"an error":   {true, []mutants.Outcome{killed, {Name: "e", Err: os.ErrInvalid}}},
	} {
		r := mutants.Results{Clean: c.clean}
		for _, o := range c.outcomes {
			r.Add(o)
		}
		if r.OK() {
			t.Errorf("%s: the run passes", what)
		}
	}
}
