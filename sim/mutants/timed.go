package mutants

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// timed says which tests judge times, or create so many namespaces that they delay each other. make
// test runs them one after the other, and all others beside them.
type timed struct {
	module               string
	alone, beside, pairs *regexp.Regexp // as the Makefile names them
}

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
		{"Makefile", `ALONE *:= *`, &t.alone}, {"Makefile", `BESIDE *:= *`, &t.beside}, {"Makefile", `PAIRS *:= *`, &t.pairs},
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

// has reports whether a test of a suite judges times. Without a test it reports whether the suite may
// have one that does.
func (t timed) has(suite, test string) bool {
	pkg := t.module + strings.TrimPrefix(suite, ".")
	switch {
	case suite == SimSuite || t.alone == nil || t.beside.MatchString(pkg) || !t.alone.MatchString(pkg):
		return false
	case suite == commands && test != "":
		return t.pairs.MatchString(strings.TrimPrefix(test, "^"))
	}
	return true
}
