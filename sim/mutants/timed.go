package mutants

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// timed says which tests judge times, or create so many namespaces that they delay each other. They run one
// after the other in two rows, and all others beside them.
type timed struct {
	module                        string
	alone, beside, waiting, pairs *regexp.Regexp // as the Makefile names them
}

// row is which tests a test must not run beside.
type row int

const (
	untimed row = iota // runs beside any test
	alone
	waiting
	rows // how many rows there are
)

// commands is the package whose timed tests the Makefile names one by one.
const commands = "./cmd/baton"

// loadTimed reads the module's Makefile.
func loadTimed(root string) (t timed, err error) {
	var module *regexp.Regexp
	for _, line := range []struct {
		file, begins string
		to           **regexp.Regexp
	}{
		{"go.mod", `module +`, &module},
		{"Makefile", `ALONE *:= *`, &t.alone}, {"Makefile", `BESIDE *:= *`, &t.beside}, {"Makefile", `WAITING *:= *`, &t.waiting}, {"Makefile", `PAIRS *:= *`, &t.pairs},
	} {
		text, err := os.ReadFile(filepath.Join(root, line.file))
		if err != nil {
			return timed{}, fmt.Errorf("mutants: which tests judge times: %w", err)
		}
		said := regexp.MustCompile(`(?m)^` + line.begins + `(.*)$`).FindSubmatch(text)
		if said == nil {
			return timed{}, fmt.Errorf("mutants: which tests judge times: %s has no line %s", line.file, line.begins)
		}
		if *line.to, err = regexp.Compile(strings.ReplaceAll(string(said[1]), "$$", "$")); err != nil {
			return timed{}, fmt.Errorf("mutants: which tests judge times: %s: %w", line.file, err)
		}
	}
	t.module = module.String()
	return t, nil
}

// of returns the row of a test of a suite. Without a test it is untimed only if no test of the suite
// judges times.
func (t timed) of(suite, test string) row {
	pkg := t.module + strings.TrimPrefix(suite, ".")
	switch {
	case suite == SimSuite || t.alone == nil || t.beside.MatchString(pkg) || !t.alone.MatchString(pkg):
		return untimed
	case suite == commands && test != "" && !t.pairs.MatchString(strings.TrimPrefix(test, "^")):
		return untimed
	case t.waiting.MatchString(pkg):
		return waiting
	}
	return alone
}
