package mutants_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/sim/mutants"
)

// TestEveryMutantApplies: code moves on, and a mutant must follow it.
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

const header = "bug: b\nseen: s\ncatch: c\nsuite: sim\n"

func TestParse(t *testing.T) {
	m, err := mutants.Parse("m", []byte("bug:   it is\n       long\nseen:  s\ncatch: c\nsuite: ./impl/bfd\n"+
		"-- a.go --\n<<<<\n\told\n====\n\tnew\n\tmore\n>>>>\n<<<<\ngone\n====\n>>>>\n-- b.go --\n<<<<\nx\n====\ny\n>>>>\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []mutants.Edit{{"a.go", "\told\n", "\tnew\n\tmore\n"}, {"a.go", "gone\n", ""}, {"b.go", "x\n", "y\n"}}
	if m.Bug != "it is long" || m.Suite != "./impl/bfd" || len(m.Edits) != len(want) {
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
		{"a field twice", header + "bug: again\n", "bug is there twice"},
		{"a suite that is none", "bug: b\nseen: s\ncatch: c\nsuite: all\n", "neither sim nor a package"},
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

// TestApplyNeedsTheOldTextOnce: a mutant whose place is gone, or is not one, tests nothing.
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
		if _, err := apply(old); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("old text %q: error %v, want %q", old, err, want)
		}
	}
}
