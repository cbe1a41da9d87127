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
	Hints   Hints         // what to run first

	dir    string // what Join has built
	suites map[string]*suite
}

// Run runs the suite of one mutant, until its first failure.
func (r *Runner) Run(ctx context.Context, m Mutant) Outcome {
	began := time.Now()
	kill, err := r.run(ctx, m)
	return Outcome{Name: m.Name, Bug: m.Bug, Kill: kill, Err: err, Took: time.Since(began)}
}

func (r *Runner) run(ctx context.Context, m Mutant) (*Kill, error) {
	built, in, err := r.together(ctx, m)
	if err != nil {
		return nil, err
	}
	if !in {
		dir, err := os.MkdirTemp("", "mutant-")
		if err != nil {
			return nil, fmt.Errorf("mutants: run %s: %w", m.Name, err)
		}
		defer os.RemoveAll(dir)
		if built, err = r.alone(ctx, dir, m); err != nil {
			return nil, err
		}
	}
	if m.Suite == SimSuite {
		return r.simulate(ctx, built, r.Hints.world(m.Name))
	}
	if hint := r.Hints.test(m); hint != "" {
		only := m
		only.Test = "^" + hint + "$"
		if kill, err := r.test(ctx, built, only); kill != nil && err == nil {
			return kill, nil
		}
	}
	return r.test(ctx, built, m)
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

// worldsLimit is how long the simulator's suite may take, whose cases take milliseconds: a
// world that does not come to rest fills the memory.
const worldsLimit = time.Minute

// simulate runs this project's suite, one case of it before the others. It says at every
// case what it begins, and at the end what failed.
func (r *Runner) simulate(ctx context.Context, b binary, first string) (*Kill, error) {
	ctx, cancel := context.WithTimeout(ctx, min(r.Timeout, worldsLimit))
	defer cancel()
	suite := b.command(ctx, r.Root, "-suite", "-seeds", fmt.Sprint(r.Extent.Seeds), "-campaign", fmt.Sprint(r.Extent.Campaign), "-first", first)
	// Two suites run at once, each on one core.
	suite.Env = append(suite.Env, "GOMAXPROCS=1")
	var stderr bytes.Buffer
	suite.Stderr = &stderr
	out, err := suite.Output()
	began := lastLine(out, "began ")
	switch said := lastLine(out, "failed "); {
	case said != "":
		kill := new(Kill)
		if err := json.Unmarshal([]byte(said), kill); err != nil {
			return nil, fmt.Errorf("mutants: result of %s: %w", b.path, err)
		}
		return kill, nil
	case err == nil:
		return nil, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Kill{Check: "hang", Where: began, Why: fmt.Sprintf("the suite did not end within %v", min(r.Timeout, worldsLimit))}, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case strings.Contains(stderr.String(), "panic: "):
		return &Kill{Check: "panic", Where: began, Why: lastLine(stderr.Bytes(), "panic: ")}, nil
	}
	return nil, fmt.Errorf("mutants: suite: %w: %s", err, stderr.String())
}

// test runs the tests of a package that the mutant names. Its table names the first
// that failed. No test at all is an error: it would kill nothing.
func (r *Runner) test(ctx context.Context, b binary, m Mutant) (*Kill, error) {
	pkg := m.Suite
	args := []string{"-test.failfast", "-test.short", "-test.run", m.Test}
	if m.Spec != "" {
		args = append(args, "-ginkgo.focus", m.Spec, "-ginkgo.no-color", "-ginkgo.fail-fast")
	}
	if r.usesRapid(pkg) {
		// A planted bug's counterexample is not worth keeping.
		args = append(args, "-rapid.nofailfile")
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	tests := b.command(ctx, filepath.Join(r.Root, pkg), args...)
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

// command runs the binary as the mutant that it is to play.
func (b binary) command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, b.path, args...)
	c.Dir, c.Env = dir, append(os.Environ(), playing+"="+b.play, swapping+"="+b.programs)
	return c
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
