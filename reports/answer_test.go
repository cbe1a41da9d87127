package reports_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baton/reports"
	"baton/reports/export"
	"baton/reports/model"
)

// answered stores a run of the seed bug without its expectation, and returns the
// first part of the report.
func answered(t *testing.T, scenario func(string) string) model.Run {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "run")
	simulate(t, dir, "control-restored-master-preempts", 1)
	file := filepath.Join(dir, "scenario.scn")
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(scenario(string(source))), 0o644); err != nil {
		t.Fatal(err)
	}
	s := reports.Build([]string{root}, nil)
	if len(s.Problems) > 0 {
		t.Fatal(s.Problems)
	}
	var summary strings.Builder
	if err := export.Summary(&summary, s); err != nil {
		t.Fatal(err)
	}
	for _, sentence := range s.Runs[0].Answer {
		if !strings.Contains(summary.String(), sentence[:min(len(sentence), 100)]) {
			t.Errorf("the summary does not say %q", sentence)
		}
	}
	return s.Runs[0]
}

// without removes the lines that begin with any of the words.
func without(words ...string) func(string) string {
	return func(source string) string {
		lines := slices.DeleteFunc(strings.SplitAfter(source, "\n"), func(line string) bool {
			return slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(line, word) })
		})
		return strings.Join(lines, "")
	}
}

func TestTheAnswerSaysWhoSentTheFirstRST(t *testing.T) {
	run := answered(t, without("control"))
	if run.Verdict != "FAIL" || len(run.Answer) < 2 {
		t.Fatalf("%s: %q", run.Verdict, run.Answer)
	}
	resets, lost := run.Metrics["rst"], run.Metrics["lost"]
	if resets < 900 || lost < 400 {
		t.Fatalf("%v RSTs, %v sessions lost: the run does not show the bug", resets, lost)
	}
	for _, fact := range []string{fmt.Sprintf("%v RSTs (rst == 0), the first at +5.05", resets), " ms after restore lb1:", "made by backend", "passed on by lb1; lb1 was Master and had adopted the flow from a segment in mid-flow"} {
		if !strings.Contains(run.Answer[0], fact) {
			t.Errorf("%q lacks %q", run.Answer[0], fact)
		}
	}
	if !strings.Contains(run.Answer[1], fmt.Sprintf("%v sessions lost (lost == 0), the first at +5.05", lost)) {
		t.Errorf("%q", run.Answer[1])
	}
}

// If no client was hurt, the first failure comes first, and the others follow.
func TestTheAnswerIsElseWhatFailedFirst(t *testing.T) {
	run := answered(t, func(source string) string {
		return without("control", "always")(source) + "always takeover_ms < 1ms ; masters <= 0\n"
	})
	if run.Verdict != "FAIL" || len(run.Answer) != 2 || !strings.Contains(run.Answer[0], ": masters <= 0 over") || !strings.HasPrefix(run.Answer[1], "Failed too: ") {
		t.Errorf("%s: %q", run.Verdict, run.Answer)
	}
}

// A run that reintroduces a historical bug is refused without the flag, unless it is a control.
func TestTheReplayOfARunWithItsGatesOffAllowsIt(t *testing.T) {
	if run := answered(t, without("control")); !strings.Contains(run.Replay, " --allow-unsafe ") {
		t.Errorf("%s", run.Replay)
	}
	if run := answered(t, without()); strings.Contains(run.Replay, "--allow-unsafe") {
		t.Errorf("of a control: %s", run.Replay)
	}
}

func TestACaughtControlHasNoAnswer(t *testing.T) {
	if run := answered(t, func(source string) string { return source }); run.Verdict != "PASS" || len(run.Answer) > 0 {
		t.Errorf("%s: %q", run.Verdict, run.Answer)
	}
}
