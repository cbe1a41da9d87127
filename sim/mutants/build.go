package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// binary is a suite that was built with mutants in it, and the mutant that it is to play.
type binary struct {
	path     string
	play     string // the value of playing
	programs string // the value of swapping
}

// suite is what a Runner builds once for all mutants of a suite that can be in one binary.
type suite struct {
	list  []Mutant
	build sync.Once
	*joined
	path string
	err  error
}

// Join has the mutants of a suite built together, as far as they change nothing but
// bodies of functions. Building is most of what a mutant costs. Close removes what was built.
func (r *Runner) Join(list []Mutant) error {
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return fmt.Errorf("mutants: %w", err)
	}
	r.dir, r.suites = dir, map[string]*suite{}
	for _, m := range list {
		if r.suites[m.Suite] == nil {
			r.suites[m.Suite] = &suite{}
		}
		s := r.suites[m.Suite]
		s.list = append(s.list, m)
	}
	return nil
}

// Close removes what Join had built.
func (r *Runner) Close() error { return os.RemoveAll(r.dir) }

// together returns the binary of a mutant's suite, if the mutant is in it.
func (r *Runner) together(ctx context.Context, m Mutant) (b binary, in bool, err error) {
	s := r.suites[m.Suite]
	if s == nil {
		return binary{}, false, nil
	}
	s.build.Do(func() {
		dir := filepath.Join(r.dir, strconv.Itoa(slices.Index(slices.Sorted(maps.Keys(r.suites)), m.Suite)))
		s.joined, s.path, s.err = r.buildTogether(ctx, dir, m.Suite, s.list)
	})
	baseline := len(m.Edits) == 0
	switch number := s.joined.of(m.Name); {
	case s.err != nil && !baseline:
		return binary{}, false, nil // built alone, the one that does not compile is told
	case s.err != nil:
		return binary{}, false, fmt.Errorf("mutants: all of %s in one binary: %w", m.Suite, s.err)
	case number != 0 || baseline:
		return binary{path: s.path, play: strconv.Itoa(number)}, true, nil
	}
	return binary{}, false, nil
}

func (r *Runner) buildTogether(ctx context.Context, dir, suite string, list []Mutant) (*joined, string, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, "", err
	}
	all, err := join(r.Root, list)
	if err != nil {
		return nil, "", err
	}
	if suite == programSuite {
		all.files[swapper] = swapperText
	}
	overlay, err := writeOverlay(ctx, r.Root, dir, all.files)
	if err != nil {
		return nil, "", err
	}
	path, err := r.buildSuite(ctx, dir, overlay, suite)
	return all, path, err
}

// alone builds the suite of one mutant.
func (r *Runner) alone(ctx context.Context, dir string, m Mutant) (binary, error) {
	if b, ok, err := r.swapped(ctx, dir, m); ok || err != nil {
		return b, err
	}
	changed, err := m.Apply(r.Root)
	if err != nil {
		return binary{}, err
	}
	overlay, err := writeOverlay(ctx, r.Root, dir, changed)
	if err != nil {
		return binary{}, fmt.Errorf("mutants: overlay %s: %w", m.Name, err)
	}
	path, err := r.buildSuite(ctx, dir, overlay, m.Suite)
	return binary{path: path}, err
}

// command is the package whose binary runs the simulator's suite.
const command = "./sim/mutants/cmd/mutants"

// undebugged leaves out what only a debugger reads: linking takes a third of the time.
const undebugged = "-ldflags=-s -w"

// buildSuite builds a suite with an overlay.
func (r *Runner) buildSuite(ctx context.Context, dir, overlay, suite string) (path string, err error) {
	path = filepath.Join(dir, "suite")
	if suite == SimSuite {
		return path, r.goCommand(ctx, "build", undebugged, "-overlay", overlay, "-o", path, command)
	}
	return path, r.goCommand(ctx, "test", "-vet=off", undebugged, "-overlay", overlay, "-c", "-o", path, suite)
}

// goCommand runs the go command. That a mutant compiles is its author's affair: a
// failure is an error, not a kill.
func (r *Runner) goCommand(ctx context.Context, args ...string) error {
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir = r.Root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("mutants: go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// writeOverlay writes changed files, and what is compiled of those in C, and the overlay for
// go build that puts them in place of the real ones into dir. It returns the overlay's path.
func writeOverlay(ctx context.Context, root, dir string, changed map[string]string) (string, error) {
	var o struct{ Replace map[string]string }
	o.Replace = map[string]string{}
	sources := map[string]string{}
	for file, text := range changed {
		if strings.HasPrefix(file, programSources+"/") {
			sources[file] = text
			continue
		}
		copied := filepath.Join(dir, strconv.Itoa(len(o.Replace))+".go")
		if err := os.WriteFile(copied, []byte(text), 0o644); err != nil {
			return "", err
		}
		o.Replace[filepath.Join(root, file)] = copied
	}
	if len(sources) > 0 {
		built, err := compile(ctx, root, dir, sources)
		if err != nil {
			return "", err
		}
		maps.Copy(o.Replace, built)
	}
	content, err := json.Marshal(o)
	path := filepath.Join(dir, "overlay.json")
	return path, errors.Join(err, os.WriteFile(path, content, 0o644))
}

// usesRapid reports whether the tests of a package take the flags of rapid.
func (r *Runner) usesRapid(pkg string) bool {
	files, _ := filepath.Glob(filepath.Join(r.Root, pkg, "*_test.go")) // the only error is a bad pattern
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && bytes.Contains(text, []byte(`"pgregory.net/rapid"`))
	})
}
