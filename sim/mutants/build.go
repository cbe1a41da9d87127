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
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// binary is a suite that was built with mutants in it, and the mutant that it should run as.
type binary struct {
	path     string
	play     string // the value of playing
	programs string // the value of swapping
}

// Build builds the suites of the mutants. Each binary contains all mutants that change only
// bodies of functions and values of variables: building takes most of a mutant's time, and
// so the packages that suites share are compiled once. Mutants that do not compile are left
// out, and their own builds report the error. Close removes the binaries.
func (r *Runner) Build(ctx context.Context, list []Mutant) error {
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return fmt.Errorf("mutants: %w", err)
	}
	r.dir, r.suites = dir, map[string]string{}
	for {
		all, err := join(r.Root, list)
		if err != nil {
			return err
		}
		err = r.buildTogether(ctx, all, list)
		broken := all.blamed(err)
		if len(broken) == 0 {
			r.joined = all
			return err
		}
		list = slices.DeleteFunc(slices.Clone(list), func(m Mutant) bool { return broken[m.Name] })
	}
}

// Shared returns the processor time of Build.
func (r *Runner) Shared() time.Duration { return r.building.processor }

// Close removes the binaries of Build.
func (r *Runner) Close() error { return os.RemoveAll(r.dir) }

func (r *Runner) buildTogether(ctx context.Context, all *joined, list []Mutant) error {
	if slices.ContainsFunc(list, func(m Mutant) bool { return m.Suite == programSuite }) {
		all.files[swapper] = swapperText
		r.tool = filepath.Join(r.dir, "bpf2go")
		if err := r.goCommand(ctx, &r.building, "build", "-o", r.tool, generator); err != nil {
			return err
		}
	}
	overlay, err := writeOverlay(ctx, &r.building, r.Root, r.dir, all.files)
	if err != nil {
		return err
	}
	for i, group := range groups(list) {
		dir := filepath.Join(r.dir, strconv.Itoa(i))
		if err := r.buildSuites(ctx, &r.building, dir, overlay, group...); err != nil {
			return err
		}
		for _, suite := range group {
			r.suites[suite] = binaryOf(dir, suite)
		}
	}
	return nil
}

// groups divides the suites of mutants into groups that one go command can build. Packages whose
// paths have the same last element need different commands, because their binaries would have the
// same name.
func groups(list []Mutant) (all [][]string) {
	var suites []string
	for _, m := range list {
		if !slices.Contains(suites, m.Suite) {
			suites = append(suites, m.Suite)
		}
	}
	for _, suite := range suites {
		i := slices.IndexFunc(all, func(group []string) bool {
			return suite != SimSuite && group[0] != SimSuite &&
				!slices.ContainsFunc(group, func(other string) bool { return path.Base(other) == path.Base(suite) })
		})
		if i < 0 {
			all = append(all, []string{suite})
			continue
		}
		all[i] = append(all[i], suite)
	}
	return all
}

// together returns the binary that the mutants of a suite share, if the mutant is in it.
func (r *Runner) together(m Mutant) (b binary, in bool) {
	number := r.joined.of(m.Name)
	if number == 0 && len(m.Edits) > 0 {
		return binary{}, false
	}
	return binary{path: r.suites[m.Suite], play: strconv.Itoa(number)}, true
}

// alone builds the suite of one mutant.
func (r *Runner) alone(ctx context.Context, spent *meter, dir string, m Mutant) (binary, error) {
	if b, ok, err := r.swapped(ctx, spent, dir, m, allPrograms); ok || err != nil {
		return b, err
	}
	changed, err := m.Apply(r.Root)
	if err != nil {
		return binary{}, err
	}
	overlay, err := writeOverlay(ctx, spent, r.Root, dir, changed)
	if err != nil {
		return binary{}, fmt.Errorf("mutants: overlay %s: %w", m.Name, err)
	}
	return binary{path: binaryOf(dir, m.Suite)}, r.buildSuites(ctx, spent, dir, overlay, m.Suite)
}

// command is the package whose binary runs the simulator's suite.
const command = "./sim/mutants/cmd/mutants"

// undebugged omits debug information, so that linking takes a third of the time.
const undebugged = "-ldflags=-s -w"

// binaryOf returns the path of the binary that buildSuites builds for a suite.
func binaryOf(dir, suite string) string {
	if suite == SimSuite {
		return filepath.Join(dir, "suite")
	}
	return filepath.Join(dir, path.Base(suite)+".test")
}

// buildSuites builds suites with an overlay: SimSuite, or packages.
func (r *Runner) buildSuites(ctx context.Context, spent *meter, dir, overlay string, suites ...string) error {
	if suites[0] == SimSuite {
		return r.goCommand(ctx, spent, "build", undebugged, "-overlay", overlay, "-o", binaryOf(dir, SimSuite), command)
	}
	return r.goCommand(ctx, spent, append([]string{"test", "-vet=off", undebugged, "-overlay", overlay, "-c", "-o", dir + "/"}, suites...)...)
}

// goCommand runs the go command. A mutant that does not compile is an error, not a kill.
func (r *Runner) goCommand(ctx context.Context, spent *meter, args ...string) error {
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir = r.Root
	if out, err := spent.combinedOutput(build); err != nil {
		return fmt.Errorf("mutants: go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// flat returns the name of a file's copy in the folder of an overlay. blamed reverses it in the
// errors of the compiler.
func flat(file string) string { return strings.ReplaceAll(file, "/", "~") }

// writeOverlay writes the changed files into dir, compiles those in C, and writes the overlay with
// which go build uses them instead of the real files. It returns the overlay's path.
func writeOverlay(ctx context.Context, spent *meter, root, dir string, changed map[string]string) (string, error) {
	var o struct{ Replace map[string]string }
	o.Replace = map[string]string{}
	sources := map[string]string{}
	for file, text := range changed {
		if strings.HasPrefix(file, programSources+"/") {
			sources[file] = text
			continue
		}
		copied := filepath.Join(dir, flat(file))
		if err := os.WriteFile(copied, []byte(text), 0o644); err != nil {
			return "", err
		}
		o.Replace[filepath.Join(root, file)] = copied
	}
	if len(sources) > 0 {
		built, err := compiler{root: root, some: allPrograms}.compile(ctx, spent, dir, sources)
		if err != nil {
			return "", err
		}
		maps.Copy(o.Replace, built)
	}
	content, err := json.Marshal(o)
	path := filepath.Join(dir, "overlay.json")
	return path, errors.Join(err, os.WriteFile(path, content, 0o644))
}

// usesRapid reports whether the tests of a package accept the flags of rapid.
func (r *Runner) usesRapid(pkg string) bool {
	files, _ := filepath.Glob(filepath.Join(r.Root, pkg, "*_test.go")) // the only error is a bad pattern
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && bytes.Contains(text, []byte(`"pgregory.net/rapid"`))
	})
}
