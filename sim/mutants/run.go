package mutants

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Outcome is what became of a mutant.
type Outcome struct {
	Name string
	Bug  string
	Kill *Kill // nil: it survived
	Err  error // it could not be applied, built or run
	Took time.Duration
}

// Runner builds mutants and runs their suites.
type Runner struct {
	Root    string // of the module
	Extent  Extent
	Timeout time.Duration // of one suite; a mutant that hangs is dead
}

// command is the package whose binary runs the simulator's suite.
const command = "./sim/mutants/cmd/mutants"

// Run runs the suite of one mutant, until its first failure.
func (r *Runner) Run(ctx context.Context, m Mutant) Outcome {
	began := time.Now()
	kill, err := r.run(ctx, m)
	return Outcome{Name: m.Name, Bug: m.Bug, Kill: kill, Err: err, Took: time.Since(began)}
}

func (r *Runner) run(ctx context.Context, m Mutant) (*Kill, error) {
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return nil, fmt.Errorf("mutants: run %s: %w", m.Name, err)
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(ctx, r.Root, dir)
	if err != nil {
		return nil, err
	}
	if m.Suite == SimSuite {
		return r.simulate(ctx, dir, overlay)
	}
	return r.test(ctx, dir, overlay, m)
}

// noMutant begins the name of a suite's run without a mutant.
const noMutant = "none: "

// Baselines returns the suites that the mutants name, each as a mutant that changes
// nothing and with every test that one of them needs.
func Baselines(list []Mutant) []Mutant {
	var suites []Mutant
	for _, m := range list {
		i := slices.IndexFunc(suites, func(s Mutant) bool { return s.Suite == m.Suite && (s.Spec == "") == (m.Spec == "") })
		if i < 0 {
			suites = append(suites, Mutant{Name: noMutant + m.Suite, Suite: m.Suite, Test: m.Test, Spec: m.Spec})
			continue
		}
		suites[i].Test = either(suites[i].Test, m.Test)
		suites[i].Spec = either(suites[i].Spec, m.Spec)
	}
	return suites
}

// either is the pattern of what one of two patterns matches; an empty one matches all.
func either(a, b string) string {
	switch {
	case a == "" || b == "":
		return ""
	case slices.Contains(strings.Split(a, "|"), b):
		return a
	}
	return a + "|" + b
}

// Baseline runs a suite without a mutant; a failure is an error.
func (r *Runner) Baseline(ctx context.Context, suite Mutant) Outcome {
	o := r.Run(ctx, suite)
	if o.Kill != nil {
		o.Err = fmt.Errorf("mutants: %s fails without a mutant: %s, %s: %s", suite.Suite, o.Kill.Where, o.Kill.Check, o.Kill.Why)
	}
	return o
}

// simulate builds this project's suite with the overlay, and runs it.
func (r *Runner) simulate(ctx context.Context, dir, overlay string) (*Kill, error) {
	binary := filepath.Join(dir, "suite")
	if err := r.build(ctx, "build", undebugged, "-overlay", overlay, "-o", binary, command); err != nil {
		return nil, err
	}
	return r.execute(ctx, binary, "-suite",
		"-seeds", fmt.Sprint(r.Extent.Seeds), "-campaign", fmt.Sprint(r.Extent.Campaign))
}

// undebugged leaves out what only a debugger reads: linking takes a third of the time.
const undebugged = "-ldflags=-s -w"

// build runs the go command. That a mutant compiles is its author's affair: a
// failure is an error, not a kill.
func (r *Runner) build(ctx context.Context, args ...string) error {
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir = r.Root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("mutants: go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// execute runs a suite's binary, which says at every case what it begins, and at
// the end what failed.
func (r *Runner) execute(ctx context.Context, binary string, args ...string) (*Kill, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	suite := exec.CommandContext(ctx, binary, args...)
	suite.Dir = r.Root
	// Two suites run at once, each on one core.
	suite.Env = append(os.Environ(), "GOMAXPROCS=1")
	var stderr bytes.Buffer
	suite.Stderr = &stderr
	out, err := suite.Output()
	began := lastLine(out, "began ")
	switch said := lastLine(out, "failed "); {
	case said != "":
		kill := new(Kill)
		if err := json.Unmarshal([]byte(said), kill); err != nil {
			return nil, fmt.Errorf("mutants: result of %s: %w", binary, err)
		}
		return kill, nil
	case err == nil:
		return nil, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Kill{Check: "hang", Where: began, Why: fmt.Sprintf("the suite did not end within %v", r.Timeout)}, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case strings.Contains(stderr.String(), "panic: "):
		return &Kill{Check: "panic", Where: began, Why: lastLine(stderr.Bytes(), "panic: ")}, nil
	}
	return nil, fmt.Errorf("mutants: suite: %w: %s", err, stderr.String())
}

// test runs the tests of a package that the mutant names. Its table names the first
// that failed. No test at all is an error: it would kill nothing.
func (r *Runner) test(ctx context.Context, dir, overlay string, m Mutant) (*Kill, error) {
	pkg := m.Suite
	binary := filepath.Join(dir, "tests")
	if err := r.build(ctx, "test", "-vet=off", undebugged, "-overlay", overlay, "-c", "-o", binary, pkg); err != nil {
		return nil, err
	}
	args := []string{"-test.failfast", "-test.short", "-test.run", m.Test}
	if m.Spec != "" {
		args = append(args, "-ginkgo.focus", m.Spec, "-ginkgo.no-color", "-ginkgo.fail-fast")
	}
	if r.imports(ctx, pkg, "pgregory.net/rapid") {
		// A planted bug's counterexample is not worth keeping.
		args = append(args, "-rapid.nofailfile")
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	tests := exec.CommandContext(ctx, binary, args...)
	tests.Dir = filepath.Join(r.Root, pkg)
	out, err := tests.CombinedOutput()
	switch {
	case err == nil && (bytes.Contains(out, []byte("no tests to run")) || bytes.Contains(out, []byte("Ran 0 of "))):
		return nil, fmt.Errorf("mutants: %s has no test %s %s", pkg, m.Test, m.Spec)
	case err == nil:
		return nil, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Kill{Check: "hang", Where: pkg, Why: fmt.Sprintf("the tests did not end within %v", r.Timeout)}, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	for _, sign := range []string{"--- FAIL: ", "panic: "} {
		if said := lastLine(out, sign); said != "" {
			name, _, _ := strings.Cut(said, " ")
			return &Kill{Check: name, Where: pkg, Why: said}, nil
		}
	}
	return nil, fmt.Errorf("mutants: tests of %s: %w\n%s", pkg, err, out)
}

// imports reports whether the tests of a package import another.
func (r *Runner) imports(ctx context.Context, pkg, path string) bool {
	list := exec.CommandContext(ctx, "go", "list", "-f", "{{.TestImports}} {{.XTestImports}}", pkg)
	list.Dir = r.Root
	out, err := list.Output()
	return err == nil && bytes.Contains(out, []byte(path))
}

// lastLine returns what follows a prefix on the last line that begins with it.
func lastLine(text []byte, prefix string) string {
	last := ""
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
			last = rest
		}
	}
	return last
}
