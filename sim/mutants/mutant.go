package mutants

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// Mutant is one planted bug.
type Mutant struct {
	Name  string // of the file, without its extension
	Bug   string // description in one sentence
	Seen  string // where it occurred in practice
	Catch string // the kind of check that should find it
	// Suite is SimSuite, or the package (./impl/bfd) whose own tests must fail.
	Suite string
	// Test is the pattern of the tests to run, as for go test -run; empty for all.
	Test string
	// Spec is the pattern of the Ginkgo specs to run, as for -ginkgo.focus; empty for all.
	Spec  string
	Edits []Edit
}

// SimSuite names the suite of the simulator.
const SimSuite = "sim"

// Edit replaces a piece of text in a file, given by its path from the module's root.
type Edit struct {
	File     string
	Old, New string
}

// The lines that delimit hunks. A file's section has any number of hunks, each with the old
// and the new lines, whole and with their indentation. Lines outside of hunks are errors.
const (
	hunkOld = "<<<<"
	hunkNew = "===="
	hunkEnd = ">>>>"
)

// Load reads the mutants of a directory, sorted by name.
func Load(dir string) ([]Mutant, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("mutants: load %s: no .txtar files", dir)
	}
	var list []Mutant
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("mutants: load: %w", err)
		}
		m, err := Parse(strings.TrimSuffix(filepath.Base(file), ".txtar"), text)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// Parse reads one mutant.
func Parse(name string, text []byte) (Mutant, error) {
	archive := txtar.Parse(text)
	m := Mutant{Name: name}
	if err := m.header(string(archive.Comment)); err != nil {
		return Mutant{}, fmt.Errorf("mutants: parse %s: %w", name, err)
	}
	for _, f := range archive.Files {
		edits, err := hunks(f.Name, string(f.Data))
		if err != nil {
			return Mutant{}, fmt.Errorf("mutants: parse %s: %s: %w", name, f.Name, err)
		}
		m.Edits = append(m.Edits, edits...)
	}
	if len(m.Edits) == 0 {
		return Mutant{}, fmt.Errorf("mutants: parse %s: it changes nothing", name)
	}
	return m, nil
}

// header reads the fields of the comment. A field is a line that begins with its name, and
// the indented lines after it.
func (m *Mutant) header(comment string) error {
	fields := map[string]*string{"bug": &m.Bug, "seen": &m.Seen, "catch": &m.Catch, "suite": &m.Suite, "test": &m.Test, "spec": &m.Spec}
	var last *string
	for line := range strings.Lines(comment) {
		name, text, _ := strings.Cut(line, ":")
		switch field := fields[name]; {
		case strings.TrimSpace(line) == "":
		case last != nil && strings.HasPrefix(line, " "):
			*last += " " + strings.TrimSpace(line)
		case field == nil:
			return fmt.Errorf("header %q: fields are bug, seen, catch, suite, test, spec", strings.TrimSpace(line))
		case *field != "":
			return fmt.Errorf("header: duplicate %s", name)
		default:
			*field, last = strings.TrimSpace(text), field
		}
	}
	for _, name := range []string{"bug", "seen", "catch", "suite"} {
		if *fields[name] == "" {
			return fmt.Errorf("header: %s is missing", name)
		}
	}
	if m.Suite != SimSuite && !strings.HasPrefix(m.Suite, "./") {
		return fmt.Errorf("header: suite %q is neither %s nor a package", m.Suite, SimSuite)
	}
	if m.Suite == SimSuite && m.Test != "" {
		return fmt.Errorf("header: test %q: suite %s has no tests to choose from", m.Test, SimSuite)
	}
	if m.Spec != "" && m.Test == "" {
		return fmt.Errorf("header: spec %q needs a test", m.Spec)
	}
	return nil
}

// hunks reads the edits of one file.
func hunks(file, text string) ([]Edit, error) {
	const outside = ""
	var edits []Edit
	var hunk Edit
	within := outside
	for line := range strings.Lines(text) {
		marker := strings.TrimRight(line, "\n")
		switch {
		case within == outside && marker == hunkOld:
			within, hunk = hunkOld, Edit{File: file}
		case within == hunkOld && marker == hunkNew:
			within = hunkNew
		case within == hunkNew && marker == hunkEnd:
			if hunk.Old == "" || hunk.Old == hunk.New {
				return nil, fmt.Errorf("hunk %d replaces nothing", len(edits)+1)
			}
			within, edits = outside, append(edits, hunk)
		case within == hunkOld:
			hunk.Old += line
		case within == hunkNew:
			hunk.New += line
		case marker != "":
			return nil, fmt.Errorf("%q is outside of a hunk", marker)
		}
	}
	if within != outside {
		return nil, fmt.Errorf("hunk %d has no %s", len(edits)+1, hunkEnd)
	}
	return edits, nil
}
