package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/scenarios/plan"
	"baton/scenarios/summary"
)

// stored reads the summary in a folder.
func stored(t *testing.T, dir string) summary.Summary {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, summary.File))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := summary.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A violation is stored completely: the summary, the scenario, which fails in the same way when run
// as a file, and the run. Shrinking the file keeps the failing check.
func TestAViolationReplaysFromItsFile(t *testing.T) {
	dir := t.TempDir()
	r := baton(t, "sim", "--seeds", "50", "--gates-off", "--max-violations", "1", "--workers", "1", "--out", dir)
	if r.code != exitFail || !strings.Contains(r.out, "replay: baton sim --seeds 1 --start ") {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	s := stored(t, dir)
	if s.Kind != summary.KindCampaign || s.Complete || !s.Campaign.Unsafe || len(s.Violations) != 1 {
		t.Fatalf("%+v", s)
	}
	v := s.Violations[0]
	for _, file := range []string{v.Scenario, v.Dir + "/trace.jsonl", v.Dir + "/result.json"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	seed, file := strconv.FormatUint(v.Seed, 10), filepath.Join(dir, v.Scenario)
	again := baton(t, "run", "--world", "sim", "--seed", seed, "--allow-unsafe", "--out", t.TempDir(), file)
	if again.code != exitFail || !strings.Contains(again.out, strings.TrimSuffix(v.Reason, "…")[:min(len(v.Reason), 60)]) {
		t.Errorf("as a file it is another failure than %s: exit code %d\n%s", v.Reason, again.code, again.out)
	}
	small := baton(t, "shrink", "--seed", seed, "--tries", "60", file)
	if small.code != exitPass {
		t.Fatalf("shrink: exit code %d\n%s", small.code, small.errout)
	}
	p, found := plan.Check("small.scn", []byte(small.out))
	if errs := found.Errors(false); len(errs) > 0 || p.Doc == "" || len(p.Control) == 0 {
		t.Errorf("the shrunk scenario is not fit to be kept: %v\n%s", errs, small.out)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(small.out, "\n") >= strings.Count(string(before), "\n") {
		t.Errorf("nothing was deleted:\n%s", small.out)
	}
}

// The parts of an Indexed Job together run each seed of the campaign once.
func TestAJobsPartsMerge(t *testing.T) {
	var parts []summary.Summary
	for i, environ := range []bool{true, true, false} {
		dir, index := t.TempDir(), strconv.Itoa(i)
		args := []string{"sim", "--seeds", "4", "--start", "100", "--out", dir}
		t.Setenv("JOB_COMPLETION_INDEX", "")
		t.Setenv("JOB_COMPLETIONS", "")
		if environ {
			t.Setenv("JOB_COMPLETION_INDEX", index)
			t.Setenv("JOB_COMPLETIONS", "3")
		} else {
			args = append(args, "--shard", index+"/3")
		}
		if r := baton(t, args...); r.code != exitPass {
			t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.errout)
		}
		parts = append(parts, stored(t, dir))
	}
	whole, faults, err := summary.Merge(parts)
	if err != nil || len(faults) > 0 || !whole.Complete || whole.Campaign.Done != 4 {
		t.Errorf("%+v %+v, %v, %v", whole, whole.Campaign, faults, err)
	}
	if parts[0].Campaign.Done != 2 || parts[1].Campaign.Done != 1 {
		t.Errorf("the first two parts ran %d and %d seeds of 4", parts[0].Campaign.Done, parts[1].Campaign.Done)
	}
}

// Incomplete variables of a Job are refused, because each pod would run all seeds.
func TestAJobsVariablesBelongTogether(t *testing.T) {
	for _, tt := range []struct{ index, completions, says string }{
		{"1", "", "set both"},
		{"", "3", "set both"},
		{"one", "3", `JOB_COMPLETION_INDEX/JOB_COMPLETIONS "one/3" is not i/n`},
		{"3", "3", "shard 3 is not from 0 to 2"},
	} {
		t.Setenv("JOB_COMPLETION_INDEX", tt.index)
		t.Setenv("JOB_COMPLETIONS", tt.completions)
		r := baton(t, "sim", "--seeds", "3")
		if r.code != exitBadInput || !strings.Contains(r.errout, tt.says) || strings.Count(r.errout, "\n") != 1 {
			t.Errorf("%+v: exit code %d\n%s%s", tt, r.code, r.out, r.errout)
		}
	}
	if r := baton(t, "sim", "--seeds", "3", "--shard", "0/3"); r.code != exitPass {
		t.Errorf("--shard goes before them: exit code %d\n%s", r.code, r.errout)
	}
}

// An interrupted campaign reports and stores its progress.
func TestAnInterruptedCampaignIsOnRecord(t *testing.T) {
	dir := t.TempDir()
	command := exec.Command(os.Args[0], "sim", "--seeds", "1000000", "--out", dir)
	command.Env = append(os.Environ(), asBaton+"=1")
	lines, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
	defer stop.Stop()
	var said strings.Builder
	buf := make([]byte, 4096)
	for asked := false; ; { // the first line of progress interrupts it
		n, err := lines.Read(buf)
		said.Write(buf[:n])
		if !asked && strings.Contains(said.String(), "seeds/s") {
			asked = true
			if err := command.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	_ = command.Wait()
	if code := command.ProcessState.ExitCode(); code != exitInconclusive || !strings.Contains(said.String(), "sim: interrupted after ") {
		t.Errorf("exit code %d\n%s", code, said.String())
	}
	if s := stored(t, dir); s.Complete || s.Campaign.Done == 0 || s.Campaign.Total != 1_000_000 {
		t.Errorf("%+v %+v", s, s.Campaign)
	}
}

// An exploration reports what it visited, stores it, and stores the scenario of a violation.
func TestAWalkIsOnRecord(t *testing.T) {
	dir := t.TempDir()
	r := baton(t, "explore", "--depth", "2", "--out", dir)
	if s := stored(t, dir); r.code != exitPass || !strings.Contains(r.out, "depth 2") || s.Kind != summary.KindExplore || s.Explore.States < 100 || !s.Complete {
		t.Errorf("exit code %d\n%s%+v", r.code, r.out, s.Explore)
	}
	dir = t.TempDir()
	r = baton(t, "explore", "--depth", "2", "--gates-off", "--out", dir)
	s := stored(t, dir)
	if r.code != exitFail || len(s.Violations) == 0 {
		t.Fatalf("exit code %d with the gates off\n%s", r.code, r.out)
	}
	for _, v := range s.Violations {
		if v.Scenario == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, v.Scenario))
		if err != nil {
			t.Fatal(err)
		}
		if _, found := plan.Check(v.Scenario, text); len(found.Errors(true)) > 0 {
			t.Errorf("%v\n%s", found, text)
		}
		return
	}
	t.Error("no violation has a scenario")
}

// A scenario that the world cannot run is a skip with a reason, and passes.
func TestChaosInNamespacesIsASkip(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: the real world looks at the machine first")
	}
	r := baton(t, "run", "--out", t.TempDir(), scenario(t, "chaos garp.lost=0.1\n@1s end\n"))
	if r.code != exitPass || !strings.Contains(r.out, "SKIP") || !strings.Contains(r.out, "chaos lines") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.errout)
	}
}
