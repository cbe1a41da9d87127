package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"baton/netns"
	"baton/scenarios"
	"baton/scenarios/check"
)

// asIf returns a copy of a stored run with an edited trace.
func asIf(t *testing.T, dir, old, new string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(dir, scenarios.TraceFile))
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.ReplaceAll(string(source), old, new)
	if edited == string(source) {
		t.Fatalf("the trace has no %s", old)
	}
	copied := t.TempDir()
	if err := os.WriteFile(filepath.Join(copied, scenarios.TraceFile), []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	return copied
}

// stalled copies a trace and adds a stall of the host at the beginning of each step.
func stalled(t *testing.T, dir, took string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(dir, scenarios.TraceFile))
	if err != nil {
		t.Fatal(err)
	}
	edited := regexp.MustCompile(`(?m)^\{"t":(\d+),"kind":"step".*$`).ReplaceAllString(string(source), "$0\n"+`{"t":$1,"kind":"stall","stall":{"took":"`+took+`"}}`)
	return asIf(t, dir, string(source), edited)
}

// TestTheLastLineCountsComparisonsApart: a comparison that differs does not count as a run.
func TestTheLastLineCountsComparisonsApart(t *testing.T) {
	tl := tally{began: time.Now()}
	tl.add(outcomes{runs: []check.Outcome{check.Pass, check.Pass}, pairs: []check.Outcome{check.Fail}}, nil)
	var out strings.Builder
	if tl.print(&out); !strings.HasPrefix(out.String(), "2 runs: 2 PASS; parity: 1 FAIL; ") {
		t.Errorf("it is %q", out.String())
	}
}

func TestARunInBothWorldsIsCompared(t *testing.T) {
	if err := netns.Probe(); err != nil {
		t.Skip(err)
	}
	file := scenario(t, `service  web tcp 198.18.0.100:80 mode=fullnat
@0s      wait  lb1 is Master and lb2 insync within 3s
@1s      crash lb1
         expect lb2 is Master within 1s
@2s      end
`)
	results := ""
	r := proving(t, func() ran {
		results = t.TempDir()
		return baton(t, "run", "--world", "both", "--out", results, file)
	})
	if r.code != exitPass || strings.Count(r.out, "PASS          x") != 2 || !strings.Contains(r.out, "\n  parity: same order of 6 changes; furthest apart by ") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	if r := baton(t, "parity", filepath.Join(results, "x"), filepath.Join(results, "x.sim")); r.code != exitPass {
		t.Errorf("of what is stored: exit code %d\n%s%s", r.code, r.out, r.errout)
	}
}

func TestParityOfStoredRuns(t *testing.T) {
	file := scenario(t, `service  web tcp 198.18.0.100:80 mode=fullnat
@0s      wait  lb1 is Master and lb2 insync within 3s
@1s      crash lb1
@2s      end
`)
	results := t.TempDir()
	if r := baton(t, "run", "--world", "sim", "--out", results, file); r.code != exitPass {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	simulated := filepath.Join(results, "x")
	const inSim, inNetns = `"world":"sim"`, `"world":"netns"`
	real := asIf(t, simulated, inSim, inNetns)

	r := baton(t, "parity", real, simulated)
	if r.code != exitPass || !strings.Contains(r.out, "parity: same order of 6 changes") || !strings.Contains(r.out, `after "crash lb1": netns 1`) {
		t.Errorf("of a run and itself: exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	r = baton(t, "parity", asIf(t, real, "no MASTER, table in sync", "a whim"), simulated)
	if r.code != exitFail || !strings.Contains(r.out, "netns  lb1 Backup → Claiming: a whim") {
		t.Errorf("of other reasons: exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	// A difference after a stall of the host is inconclusive, unless the stall is tolerated.
	whim := asIf(t, real, "no MASTER, table in sync", "a whim")
	for took, code := range map[string]int{"300ms": exitInconclusive, "70ms": exitFail} {
		if r := baton(t, "parity", stalled(t, whim, took), simulated); r.code != code || strings.Contains(r.out, "the host stood still for 300ms before, longer than the tolerated 75ms") != (code == exitInconclusive) {
			t.Errorf("with a stall of %s: exit code %d\n%s%s", took, r.code, r.out, r.errout)
		}
	}
	for want, dirs := range map[string][2]string{
		"no such file":        {t.TempDir(), simulated},
		"is a run in sim":     {simulated, simulated},
		"is a run in netns":   {real, real},
		"one of x":            {asIf(t, real, `"scenario":"x"`, `"scenario":"y"`), simulated},
		"what it is a run of": {asIf(t, real, `"meta":{`, `"other":{`), simulated},
	} {
		if r := baton(t, "parity", dirs[0], dirs[1]); r.code != exitBadInput || !strings.Contains(r.errout, want) {
			t.Errorf("want %q: exit code %d\n%s%s", want, r.code, r.out, r.errout)
		}
	}
}
