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

// Outcome is the outcome of one mutant, or of a suite without a mutant.
type Outcome struct {
	Name string
	Bug  string
	Kill *Kill // nil if it survived
	Err  error // why it could not be applied, built or run
	Took time.Duration
	// Processor is the processor time, builds included.
	Processor time.Duration
}

// Bare reports whether the outcome is of a suite without a mutant.
func (o Outcome) Bare() bool { return strings.HasPrefix(o.Name, noMutant) }

// Runner builds mutants and runs their suites.
type Runner struct {
	Root    string // of the module
	Extent  Extent
	Timeout time.Duration // of one suite
	Hints   Hints         // checks to run first
	Workers int           // number of suites that run beside those that judge times

	// Set by Build.
	dir      string
	joined   *joined
	suites   map[string]string // paths of binaries by suite
	tool     string            // path of bpf2go
	building meter

	timed  timed
	stalls stalls
}

// ErrHang is the error of a suite that did not end in time. It is not a kill: a test that finds a
// bug ends by itself, and any suite may be late on a busy host.
var ErrHang = errors.New("the suite did not end")

// Run runs the suite of one mutant, until its first failure.
func (r *Runner) Run(ctx context.Context, m Mutant) Outcome {
	j := &job{Mutant: m}
	defer j.close()
	r.build(ctx, j)
	r.judge(ctx, j)
	return j.Outcome()
}

// build sets the job's binary. It builds one if the mutant is not in the shared one.
func (r *Runner) build(ctx context.Context, j *job) {
	defer j.clock()()
	var in bool
	if j.binary, in = r.together(j.Mutant); in {
		return
	}
	if j.dir, j.err = os.MkdirTemp("", "mutant-"); j.err != nil {
		j.err = fmt.Errorf("mutants: run %s: %w", j.Name, j.err)
		return
	}
	if hint := r.Hints.test(j.Mutant); hint != "" {
		if j.binary, j.some, j.err = r.swapped(ctx, &j.spent, j.dir, j.Mutant, loadedBy(string(hint), j.Name)); j.some || j.err != nil {
			return
		}
	}
	j.binary, j.err = r.alone(ctx, &j.spent, j.dir, j.Mutant)
}

// judge runs the suite. If a test that judges times fails while the host stalls, that proves
// nothing, and the suite runs again. It is a kill if it fails each time.
func (r *Runner) judge(ctx context.Context, j *job) {
	defer j.clock()()
	for attempt := 0; j.err == nil && attempt < attempts; attempt++ {
		began := time.Now()
		j.kill, j.err = r.once(ctx, j)
		if j.kill == nil || r.row(j.Mutant) == untimed || !r.stalls.since(began) {
			return
		}
	}
}

// attempts is how often a suite runs at most.
const attempts = 2

func (r *Runner) once(ctx context.Context, j *job) (*Kill, error) {
	if j.Suite == SimSuite {
		return r.simulate(ctx, j, r.Hints.world(j.Name))
	}
	if hint := r.Hints.test(j.Mutant); hint != "" {
		if kill, err := r.test(ctx, j, hint.pattern()); kill != nil && err == nil && hint.failed(kill) {
			return kill, nil
		}
	}
	if j.some {
		var err error
		if j.binary, err = r.alone(ctx, &j.spent, j.dir, j.Mutant); err != nil {
			return nil, err
		}
		j.some = false
	}
	return r.test(ctx, j, j.Test)
}

// noMutant is the prefix of the name of a run without a mutant.
const noMutant = "none: "

// Baselines returns the suites that the mutants name, each as a mutant without edits and with
// all tests that its mutants need.
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

// either returns a pattern that matches what one of two patterns matches. An empty one matches all.
func either(a, b string) string {
	switch {
	case a == "" || b == "":
		return ""
	case slices.Contains(strings.Split(a, "|"), b):
		return a
	}
	return a + "|" + b
}

// worldsLimit is how long the simulator's suite may take. Its cases take milliseconds each. A
// mutant whose simulation never ends would use up the memory.
const worldsLimit = time.Minute

// simulate runs the simulator's suite, the case named first before the others. The process prints
// the name of each case when it begins, and at the end which check failed.
func (r *Runner) simulate(ctx context.Context, j *job, first string) (*Kill, error) {
	ctx, cancel := context.WithTimeout(ctx, min(r.Timeout, worldsLimit))
	defer cancel()
	suite := j.command(ctx, r.Root, "-suite", "-seeds", fmt.Sprint(r.Extent.Seeds), "-campaign", fmt.Sprint(r.Extent.Campaign), "-first", first)
	// Two suites run at once, each on one core.
	suite.Env = append(suite.Env, "GOMAXPROCS=1")
	var stderr bytes.Buffer
	suite.Stderr = &stderr
	out, err := j.spent.output(suite)
	began := lastLine(out, "began ")
	switch said := lastLine(out, "failed "); {
	case said != "":
		kill := new(Kill)
		if err := json.Unmarshal([]byte(said), kill); err != nil {
			return nil, fmt.Errorf("mutants: result of %s: %w", j.path, err)
		}
		return kill, nil
	case err == nil:
		return nil, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("mutants: %s: %w within %v", began, ErrHang, min(r.Timeout, worldsLimit))
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case strings.Contains(stderr.String(), "panic: "):
		return &Kill{Check: panicked, Where: began, Why: lastLine(stderr.Bytes(), "panic: ")}, nil
	}
	return nil, fmt.Errorf("mutants: suite: %w: %s", err, stderr.String())
}

// test runs the tests of the mutant's package that match a pattern. It returns the innermost test
// of the first failure. A pattern that matches no test is an error, because it kills nothing.
func (r *Runner) test(ctx context.Context, j *job, pattern string) (*Kill, error) {
	pkg := j.Suite
	args := []string{"-test.failfast", "-test.short", "-test.run", pattern}
	if j.Spec != "" {
		args = append(args, "-ginkgo.focus", j.Spec, "-ginkgo.no-color", "-ginkgo.fail-fast")
	}
	if r.usesRapid(pkg) {
		// The counterexample of a planted bug is not needed, and shrinking takes up to 30 s.
		args = append(args, "-rapid.nofailfile", "-rapid.shrinktime=0s")
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	tests := j.command(ctx, filepath.Join(r.Root, pkg), args...)
	out, err := j.spent.combinedOutput(tests)
	switch {
	case err == nil && (bytes.Contains(out, []byte("no tests to run")) || bytes.Contains(out, []byte("Ran 0 of "))):
		return nil, fmt.Errorf("mutants: %s has no test %s %s", pkg, pattern, j.Spec)
	case err == nil:
		return nil, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("mutants: %s: %w within %v", pkg, ErrHang, r.Timeout)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	if said := failed(string(out)); said != "" {
		name, _, _ := strings.Cut(said, " ")
		return &Kill{Check: name, Where: pkg, Why: said}, nil
	}
	if said := lastLine(out, "panic: "); said != "" {
		return &Kill{Check: panicked, Where: pkg, Why: said}, nil
	}
	return nil, fmt.Errorf("mutants: tests of %s: %w\n%s", pkg, err, out)
}

// failed returns the FAIL line of the first test that failed, or of its innermost failed subtest,
// from the name on.
func failed(out string) (said string) {
	sign := "--- FAIL: "
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, sign); ok {
			said, sign = strings.TrimSpace(rest), "    "+sign
		}
	}
	return said
}

// cases is the environment variable with the seed of random tests. Unless the caller sets it, each
// run draws the same cases: other cases might fail without the mutant.
const cases = "RAPID_SEED"

// panicked is the Check of a Kill by a panic that names no test.
const panicked = "panic"

// command returns the command that runs the binary as its mutant.
func (b binary) command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, b.path, args...)
	c.WaitDelay = time.Second // child processes may outlive it and hold its output open
	c.Dir, c.Env = dir, append(os.Environ(), playing+"="+b.play, swapping+"="+b.programs)
	if os.Getenv(cases) == "" {
		c.Env = append(c.Env, cases+"=1")
	}
	return c
}

// lastLine returns the rest of the last line that begins with a prefix.
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
