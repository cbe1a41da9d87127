package reports_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"baton/impl/trace"
	"baton/reports"
	"baton/reports/model"
	"baton/scenarios"
	"baton/scenarios/plan"
	"baton/sim"
)

// simulate stores a run of a shipped scenario.
func simulate(t testing.TB, dir, name string, seed uint64) {
	t.Helper()
	execute(t, dir, shipped(t, name), seed)
}

// simulateMany stores a run of crash-master with that many sessions.
func simulateMany(t testing.TB, dir string, seed uint64, sessions int) {
	t.Helper()
	p := shipped(t, "crash-master")
	for i := range p.Traffic {
		if p.Traffic[i].Kind == plan.Sessions {
			p.Traffic[i].Count = sessions
		}
	}
	execute(t, dir, p, seed)
}

func shipped(t testing.TB, name string) *plan.Plan {
	t.Helper()
	file := filepath.Join("..", "scenarios", name+".scn")
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse(file, source)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func execute(t testing.TB, dir string, p *plan.Plan, seed uint64) {
	t.Helper()
	job := scenarios.Job{Plan: p, World: plan.Sim, SUT: "reference", Seed: seed, Dir: dir,
		Origin: &trace.Origin{File: p.File, Host: trace.Host{Kernel: "6.9", Cores: 2}},
		NewWorld: func(s scenarios.Stage) (scenarios.World, error) {
			return sim.NewWorld(s.Plan, sim.Config{Seed: seed, Recorder: s.Recorder})
		}}
	if _, err := job.Execute(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// edit changes a stored file.
func edit(t *testing.T, file, old, new string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), old, new, 1)
	if changed == string(data) {
		t.Fatalf("%s has no %q", file, old)
	}
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRandomStepsMakeNoOtherScenario: runs whose seeds drew different steps belong to one scenario.
func TestRandomStepsMakeNoOtherScenario(t *testing.T) {
	p, err := plan.Parse("r.scn", []byte(`scenario r
service web tcp 198.18.0.100:80
traffic web sessions tcp count=5
always  rst == 0
@0s     wait lb1 is Master and lb2 insync within 5s
randomly between 1s and 2s kill lb1
@3s     end
`))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for seed := range uint64(2) {
		execute(t, filepath.Join(root, strconv.FormatUint(seed, 10)), p, seed)
	}
	if s := reports.Build([]string{root}, nil); len(s.Rows) != 1 || len(s.Rows[0].Plans) != 1 || len(s.Problems) > 0 {
		t.Errorf("%d rows, problems %+v", len(s.Rows), s.Problems)
	}
}

// TestStoredRunsAreJudgedAgain: the report's verdicts are those of the run's time as
// long as the checks are, over every shipped scenario.
func TestStoredRunsAreJudgedAgain(t *testing.T) {
	root := t.TempDir()
	files, _ := filepath.Glob("../scenarios/*.scn")
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".scn")
		simulate(t, filepath.Join(root, name), name, 1)
	}
	s := reports.Build([]string{root}, nil)
	if len(s.Runs) != len(files) || len(s.Problems) > 0 || s.Outcome != "PASS" {
		t.Errorf("%d runs of %d, outcome %s, problems %+v", len(s.Runs), len(files), s.Outcome, s.Problems)
	}
	controls := 0
	for _, run := range s.Runs {
		if run.Stored != nil {
			t.Errorf("%s is judged otherwise than at its time: %+v", run.Dir, run.Stored)
		}
		if control := s.Rows[run.Row].Control; control != nil && control.Caught {
			controls++
		}
	}
	if controls != 2 {
		t.Errorf("%d controls were caught, want 2", controls)
	}
}

// TestANewVerdictSaysWhatItDiffersIn: the stored verdict missed a lost session of the trace.
func TestANewVerdictSaysWhatItDiffersIn(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "crash-master")
	simulate(t, dir, "crash-master", 1)
	edit(t, filepath.Join(dir, "trace.jsonl"), `"event":"done"`, `"event":"lost","why":"planted"`)
	s := reports.Build([]string{root}, nil)
	run := s.Runs[0]
	if run.Verdict != "FAIL" || run.Stored == nil || run.Stored.Verdict != "PASS" || !slices.Contains(run.Stored.Changed, "lost: FAIL, was PASS") {
		t.Errorf("verdict %s, stored %+v", run.Verdict, run.Stored)
	}
	var table bytes.Buffer
	if err := reports.Table(&table, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"judged again: FAIL, was PASS: lost: FAIL, was PASS", "replay: baton run --world sim --seed 1 ../scenarios/crash-master.scn"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, table.String())
		}
	}
}

// A trace with a damaged line is no PASS any more, although no check of it changed.
func TestAVerdictThatNoCheckChangedIsToldWithoutAList(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "crash-master")
	simulate(t, dir, "crash-master", 1)
	file := filepath.Join(dir, "trace.jsonl")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(data, "garbage\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := reports.Table(&table, reports.Build([]string{root}, nil)); err != nil {
		t.Fatal(err)
	}
	if want := "judged again: INCONCLUSIVE, was PASS\n"; !strings.Contains(table.String(), want) {
		t.Errorf("%q is missing in\n%s", want, table.String())
	}
}

func TestRepeatsAreOneRowWithItsFlakeRate(t *testing.T) {
	root := t.TempDir()
	for i, dir := range []string{"a/graceful-stop", "b/graceful-stop", "c/graceful-stop", "d/graceful-stop"} {
		simulate(t, filepath.Join(root, dir), "graceful-stop", uint64(i+1))
	}
	edit(t, filepath.Join(root, "b/graceful-stop/trace.jsonl"), `"event":"done"`, `"event":"lost"`)
	s := reports.Build([]string{root}, nil)
	if len(s.Rows) != 1 {
		t.Fatalf("%d rows", len(s.Rows))
	}
	row := s.Rows[0]
	if row.Passed != 3 || row.Failed != 1 || row.FlakeRate != 0.25 || row.Verdict != "FAIL" || s.Environments[0].Runs != 4 {
		t.Errorf("%+v", row)
	}
	at := slices.IndexFunc(row.Figures, func(f model.Figure) bool { return f.Name == "lost" })
	if at < 0 || len(row.Figures[at].Values) != 4 || row.Figures[at].Max != 1 {
		t.Fatalf("figures %+v", row.Figures)
	}
	if limits := row.Figures[at].Limits; len(limits) == 0 || limits[0].Claim != "lost == 0" || limits[0].Verdict != "FAIL" {
		t.Errorf("limits %+v", row.Figures[at].Limits)
	}
}

func TestHostileTextsDoNotReachTheTerminal(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "crash-master")
	simulate(t, dir, "crash-master", 1)
	edit(t, filepath.Join(dir, "trace.jsonl"), `"event":"done"`, `"event":"lost","why":"\u001b[2J\u202e\u0007x"`)
	edit(t, filepath.Join(dir, "trace.jsonl"), `"file":"`, `"file":"\u001b[31m;rm -rf $(x)'\n`)
	var table bytes.Buffer
	if err := reports.Table(&table, reports.Build([]string{root}, nil)); err != nil {
		t.Fatal(err)
	}
	if i := bytes.IndexFunc(table.Bytes(), func(r rune) bool { return r != '\n' && unicode.IsControl(r) || r == '\u202e' }); i >= 0 {
		t.Errorf("a control character: %q", table.Bytes()[max(0, i-40):i+10])
	}
	if !strings.Contains(table.String(), `'\''`) {
		t.Errorf("the replay command is not quoted:\n%s", table.String())
	}
}
