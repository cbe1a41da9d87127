package mutants

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Hints name the check that killed each mutant the last time. That check runs first. Only if it
// does not kill the mutant does its whole suite run.
type Hints map[string]Hint

// Hint is a check that has killed a mutant: a test or a subtest, or a case of the simulator's suite.
type Hint string

var (
	aTest = regexp.MustCompile(`^Test\w+(/\S+)?$`)
	aCase = regexp.MustCompile(`^[-\w]+ seed \d+$`)
)

// LoadHints reads a file of hints. A missing file has none.
func LoadHints(file string) (Hints, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Hints{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mutants: hints: %w", err)
	}
	h := Hints{}
	for line := range strings.Lines(string(text)) {
		if name, hint, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			h[name] = Hint(hint)
		}
	}
	return h, nil
}

// Note stores the check that killed a mutant, if it can run alone.
func (h Hints) Note(o Outcome) {
	if o.Kill == nil {
		return
	}
	switch {
	case aTest.MatchString(o.Kill.Check):
		h[o.Name] = Hint(o.Kill.Check)
	case aCase.MatchString(o.Kill.Where):
		h[o.Name] = Hint(o.Kill.Where)
	}
}

// Store writes the hints, one per line, sorted by name.
func (h Hints) Store(file string) error {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintf(&text, "%s %s\n", name, h[name])
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("mutants: hints: %w", err)
	}
	return nil
}

// Narrow returns the mutants with only the test of their hint, if they have one.
func (h Hints) Narrow(list []Mutant) []Mutant {
	narrow := slices.Clone(list)
	for i := range narrow {
		if test := h.test(narrow[i]); test != "" {
			narrow[i].Test = test.pattern()
		}
	}
	return narrow
}

// Known returns the mutants with a hint. Mutants of the simulator's suite and of specs always count
// as known.
func (h Hints) Known(list []Mutant) []Mutant {
	return slices.DeleteFunc(slices.Clone(list), func(m Mutant) bool { return m.Suite != SimSuite && m.Spec == "" && h.test(m) == "" })
}

// Surprising returns the killed mutants that h has no hint for, or that another test than h names
// has killed; by names these tests.
func (h Hints) Surprising(killed []Mutant, by Hints) []Mutant {
	return slices.DeleteFunc(slices.Clone(killed), func(m Mutant) bool {
		return len(h.Known([]Mutant{m})) == 1 && h.test(m) == by.test(m)
	})
}

// test returns the test to run first, "" if there is none or if the mutant itself names a deeper
// subtest.
func (h Hints) test(m Mutant) Hint {
	hint := h[m.Name]
	if m.Spec != "" || !aTest.MatchString(string(hint)) || strings.Count(m.Test, "/") > strings.Count(string(hint), "/") {
		return ""
	}
	return hint
}

// failed reports whether the hint's test or a subtest of it has failed, or a panic named no test.
// A failure of only a parent does not count: it may need its other subtests.
func (h Hint) failed(kill *Kill) bool {
	return kill.Check == panicked || kill.Check == string(h) || strings.HasPrefix(kill.Check, string(h)+"/")
}

// pattern returns the pattern that runs only this test.
func (h Hint) pattern() string {
	parts := strings.Split(string(h), "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

// world returns the case of the simulator's suite to run first, "" if there is none.
func (h Hints) world(name string) string {
	if hint := string(h[name]); aCase.MatchString(hint) {
		return hint
	}
	return ""
}
