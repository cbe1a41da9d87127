package mutants

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFailedReturnsTheInnermostTestOfTheFirstFailure(t *testing.T) {
	out := "=== x\n--- FAIL: TestA (0.01s)\n    a_test.go:1: said\n    --- PASS: TestA/first (0.00s)\n    --- FAIL: TestA/second (0.01s)\n" +
		"        --- FAIL: TestA/second/part (0.01s)\n            a_test.go:2: that\n    --- FAIL: TestA/third (0.00s)\n--- FAIL: TestB (0.00s)\nFAIL\n"
	if got := failed(out); got != "TestA/second/part (0.01s)" {
		t.Errorf("%q", got)
	}
	if got := failed("PASS\n"); got != "" {
		t.Errorf("%q", got)
	}
}

// TestWhichTestsJudgeTimes: the list is that of make test.
func TestWhichTestsJudgeTimes(t *testing.T) {
	times, err := loadTimed("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		suite, test string
		row         row
	}{
		{SimSuite, "", untimed},
		{"./impl/node", "TestALease", untimed},
		{"./bpf", "", untimed},
		{"./impl/daemon", "", waiting},
		{"./impl/daemon/config", "", untimed},
		{"./netns", "TestNetns", alone},
		{"./netns/subject", "TestBadAdapters", waiting},
		{commands, "", alone},
		{commands, "TestALabIsExploredByHand", alone},
		{commands, "^TestALabIsExploredByHand$", alone},
		{commands, "TestARunExitsWithTheCodeOfItsWorst", untimed},
	} {
		if got := times.of(c.suite, c.test); got != c.row {
			t.Errorf("%s %s is in row %d, want %d", c.suite, c.test, got, c.row)
		}
	}
	if _, err := loadTimed(t.TempDir()); err == nil {
		t.Error("a missing Makefile is not an error")
	}
}

func TestAStallCountsForRunsThatBeganBeforeIt(t *testing.T) {
	var s stalls
	began := time.Now()
	s.note(began, began.Add(stallMin-1))
	if s.since(began) {
		t.Error("a delay below the limit counts as a stall")
	}
	s.note(began, began.Add(stallMin))
	if !s.since(began) || s.since(began.Add(stallMin)) {
		t.Error("a stall must count for runs that began before it, and for no other")
	}
}

// TestASuiteThatDoesNotEndKillsNothing: it is an error.
func TestASuiteThatDoesNotEndKillsNothing(t *testing.T) {
	r, j := scripted(t, "sleep 60")
	r.Timeout = 50 * time.Millisecond
	if r.judge(t.Context(), j); j.kill != nil || !errors.Is(j.err, ErrHang) {
		t.Errorf("%+v, %v", j.kill, j.err)
	}
}

func TestAFailureDuringAStallIsRepeated(t *testing.T) {
	const fails = "echo x >> runs; echo '--- FAIL: TestA (0.00s)'; exit 1"
	for _, c := range []struct {
		what, script   string
		stalled, times bool
		runs           int
		killed         bool
	}{
		{"without a stall", fails, false, true, 1, true},
		{"with one each time", fails, true, true, attempts, true},
		{"of a test that judges no times", fails, true, false, 1, true},
		{"of the first run", "if [ -e runs ]; then echo x >> runs; exit 0; fi; " + fails, true, true, 2, false},
	} {
		r, j := scripted(t, c.script)
		if c.stalled {
			r.stalls.last = time.Now().Add(time.Hour)
		}
		if c.times {
			r.timed = timedAll(t)
		}
		r.judge(t.Context(), j)
		runs, _ := os.ReadFile(filepath.Join(r.Root, j.Suite, "runs"))
		if got := strings.Count(string(runs), "x"); got != c.runs || (j.kill != nil) != c.killed || j.err != nil {
			t.Errorf("%s: %d runs, killed by %+v, error %v", c.what, got, j.kill, j.err)
		}
	}
}

// scripted returns a job whose suite is a shell script.
func scripted(t *testing.T, script string) (*Runner, *job) {
	t.Helper()
	root := t.TempDir()
	write(t, root, map[string]string{"suite": "#!/bin/sh\n" + script + "\n"})
	if err := errors.Join(os.Mkdir(filepath.Join(root, "pkg"), 0o755), os.Chmod(filepath.Join(root, "suite"), 0o755)); err != nil {
		t.Fatal(err)
	}
	return &Runner{Root: root, Timeout: time.Minute}, &job{Mutant: Mutant{Name: "m", Suite: "./pkg", Edits: []Edit{{}}}, binary: binary{path: filepath.Join(root, "suite")}}
}

// timedAll returns a timed by which every package judges times.
func timedAll(t *testing.T) timed {
	t.Helper()
	root := t.TempDir()
	write(t, root, map[string]string{"go.mod": "module m\n", "Makefile": "ALONE := .\nBESIDE := ^$$\nWAITING := ^$$\nPAIRS := .\n"})
	all, err := loadTimed(root)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRunAllRunsEachMutantOnce: those that judge times one after the other in their row, and the others beside them.
func TestRunAllRunsEachMutantOnce(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"go.mod": "module m\n", "Makefile": "ALONE := timed|waiting\nBESIDE := ^$$\nWAITING := waiting\nPAIRS := .\n", "suite": "#!/bin/sh\n[ $BATON_MUTANT = 0 ] || { echo '--- FAIL: TestA (0.00s)'; exit 1; }\n",
	})
	if err := errors.Join(os.Mkdir(filepath.Join(root, "timed"), 0o755), os.Mkdir(filepath.Join(root, "waiting"), 0o755), os.Mkdir(filepath.Join(root, "other"), 0o755), os.Chmod(filepath.Join(root, "suite"), 0o755)); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(root, "suite")
	r := &Runner{Root: root, Timeout: time.Minute, Workers: 2, suites: map[string]string{"./timed": binary, "./waiting": binary, "./other": binary}, joined: &joined{numbers: map[string]int{"a": 1, "b": 2, "c": 3, "d": 4}}}
	list := []Mutant{{Name: noMutant + "./timed", Suite: "./timed"}, {Name: noMutant + "./other", Suite: "./other"},
		{Name: "a", Suite: "./timed", Edits: []Edit{{}}}, {Name: "b", Suite: "./other", Edits: []Edit{{}}}, {Name: "c", Suite: "./other", Edits: []Edit{{}}},
		{Name: "d", Suite: "./waiting", Edits: []Edit{{}}}, {Name: "stale", Suite: "./timed", Edits: []Edit{{File: "gone.go", Old: "x", New: "y"}}}}
	var names []string
	err := r.RunAll(t.Context(), list, func(o Outcome) {
		names = append(names, o.Name+" "+o.Result().Outcome)
	})
	slices.Sort(names)
	if want := []string{"a killed", "b killed", "c killed", "d killed", "none: ./other clean", "none: ./timed clean", "stale stale"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v", names, err)
	}
}
