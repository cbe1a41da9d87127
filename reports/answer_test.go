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
	"baton/scenarios/plan"
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

// What the nodes refused is the cause, not the fault or the open gate before it.
func TestTheAnswerSaysWhatWasRefused(t *testing.T) {
	const pair = "topo pair clients=1 backends=2\nservice web tcp 198.18.0.100:80 mode=fullnat\n"
	for _, test := range []struct{ name, source, says string }{
		{"flows", "config snat_ports=20000-20019\n" + pair + `traffic web sessions tcp count=100
always unanswered == 0
@0s wait lb1 is Master and lb2 insync within 3s
@5s end
`, "lb1 refused new flows of web, because no SNAT port was free"},
		{"handover", pair + `service idle udp 198.18.0.100:53 mode=fullnat
traffic idle flows udp count=2000 rate=5000/s
@0s wait lb1 is Master and lb2 insync within 3s
@1s limit sync mtu=1280
@2s kill lb2
@3s restore lb2
@5s handover lb1
expect lb2 is Master within 1s
@8s end
`, "lb1 refused handover lb1 after restore lb2: PeerReady (peer is not in sync)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := plan.Parse("x.scn", []byte("scenario refused\n"+test.source))
			if err != nil {
				t.Fatal(err)
			}
			root := t.TempDir()
			execute(t, filepath.Join(root, "run"), p, 1)
			run := reports.Build([]string{root}, nil).Runs[0]
			if run.Verdict != "FAIL" || !strings.Contains(run.Answer[0], test.says) {
				t.Errorf("%s: %q", run.Verdict, run.Answer)
			}
		})
	}
}
