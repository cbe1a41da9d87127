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

// Hints say what killed each mutant the last time: that check is run before the rest of
// its suite, most of which would pass. A hint that leads to no kill costs its own run, and
// the whole suite runs all the same.
type Hints map[string]Hint

// Hint is a check that has killed a mutant: a test, or a case of the simulator's suite.
type Hint string

var (
	aTest = regexp.MustCompile(`^Test\w+$`)
	aCase = regexp.MustCompile(`^[-\w]+ seed \d+$`)
)

// LoadHints reads a file of hints; without the file there are none.
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

// Note remembers what killed a mutant, if it can be run by itself.
func (h Hints) Note(o Outcome) {
	if o.Kill == nil {
		return
	}
	test, _, _ := strings.Cut(o.Kill.Check, "/")
	switch {
	case aTest.MatchString(test):
		h[o.Name] = Hint(test)
	case aCase.MatchString(o.Kill.Where):
		h[o.Name] = Hint(o.Kill.Where)
	}
}

// Store writes the hints, one line each, by name.
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

// Narrow returns mutants of which each needs no more tests than the one that has killed it.
func (h Hints) Narrow(list []Mutant) []Mutant {
	narrow := slices.Clone(list)
	for i := range narrow {
		if test := h.test(narrow[i]); test != "" {
			narrow[i].Test = "^" + test + "$"
		}
	}
	return narrow
}

// test returns the test to run first, "" if there is none, or if the mutant names a subtest:
// the whole test takes longer.
func (h Hints) test(m Mutant) string {
	if hint := string(h[m.Name]); m.Spec == "" && !strings.Contains(m.Test, "/") && aTest.MatchString(hint) {
		return hint
	}
	return ""
}

// world returns the case of the simulator's suite to run first, "" if there is none.
func (h Hints) world(name string) string {
	if hint := string(h[name]); aCase.MatchString(hint) {
		return hint
	}
	return ""
}
