package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the module's root, seen from here.
const module = "../../../.."

// TestProcessesAgree: a seed's trace is the same in every process, on one core and
// on two, and with the race detector, which moves memory and time about. Each
// process has hash seeds of its own, so that a map's order that reaches a trace
// shows as well.
func TestProcessesAgree(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	const seeds = 5
	scenarios := []string{"restored-master-does-not-preempt", "sync-cut-and-heal"}
	args := []string{"-start", "1001", "-seeds", fmt.Sprint(seeds)}
	for _, name := range scenarios {
		args = append(args, filepath.Join(module, "scenarios", name+".scn"))
	}
	plain := build(t)
	want := lines(t, plain, args, "GOMAXPROCS=1")
	if n := seeds + 2*len(scenarios); len(want) != n { // each scenario calm and rough
		t.Fatalf("%d traces, want %d:\n%s", len(want), n, strings.Join(want, "\n"))
	}
	t.Run("two cores", func(t *testing.T) { compare(t, want, lines(t, plain, args, "GOMAXPROCS=2")) })
	t.Run("race detector", func(t *testing.T) {
		if why := noRace(); why != "" {
			t.Skip(why)
		}
		// It takes ten times as long: one seed and the last scenario.
		few := []string{"-start", "1001", "-seeds", "1", args[len(args)-1]}
		compare(t, append(want[:1:1], want[len(want)-2:]...), lines(t, build(t, "-race"), few, "GOMAXPROCS=2"))
	})
}

func build(t *testing.T, flags ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "hashes")
	build := exec.Command("go", append(append([]string{"build"}, flags...), "-o", binary, ".")...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	return binary
}

// noRace says why this machine cannot build with the race detector.
func noRace() string {
	out, err := exec.Command("go", "env", "CGO_ENABLED", "CC").Output()
	if err != nil {
		return "go env: " + err.Error()
	}
	enabled, cc, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if enabled != "1" {
		return "the race detector needs cgo, which is off"
	}
	if _, err := exec.LookPath(strings.Fields(cc + " cc")[0]); err != nil {
		return "the race detector needs a C compiler: " + err.Error()
	}
	return ""
}

// lines runs the program; the race detector's reports go to its standard error.
func lines(t *testing.T, binary string, args []string, env string) []string {
	t.Helper()
	run := exec.Command(binary, args...)
	run.Env = append(os.Environ(), env)
	var said strings.Builder
	run.Stderr = &said
	out, err := run.Output()
	if err != nil || said.Len() > 0 {
		t.Fatalf("%s: %v\n%s", run, err, said.String())
	}
	return slices.Collect(strings.Lines(string(out)))
}

func compare(t *testing.T, want, got []string) {
	t.Helper()
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("traces differ:\n%s%s", want[i], strings.Join(got[i:min(i+1, len(got))], ""))
		}
	}
}
