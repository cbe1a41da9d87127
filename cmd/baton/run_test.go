package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"baton/scenarios/check"
	"baton/scenarios/evidence"
	"baton/scenarios/plan"
)

// The policy also applies in virtual time, where frames and logs do not exist.
func TestTheSimulatorKeepsItsTables(t *testing.T) {
	calm := scenario(t, `service  web tcp 198.18.0.100:80 mode=fullnat
traffic  web sessions tcp count=5 every=50ms
always   rst == 0
@0s      wait  lb1 is Master and lb2 insync within 3s
@1s      end
`)
	for keep, want := range map[string]bool{"failed": false, "all": true, "none": false} {
		results := t.TempDir()
		if r := baton(t, "run", "--world", "sim", "--keep", keep, "--out", results, calm); r.code != exitPass {
			t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.errout)
		}
		m, err := evidence.Read(filepath.Join(results, "x"))
		if (err == nil) != want {
			t.Errorf("--keep %s: %v", keep, err)
		}
		if want && (len(m.Files) != 2 || len(m.Missing) != 3 || m.Files[0].Count != 5) {
			t.Errorf("--keep %s: files %+v, missing %+v", keep, m.Files, m.Missing)
		}
	}
}

// If a run does not pass, the output says where the evidence is, what is missing from it, and how
// to run it again.
func TestAFailedRunIsToldInFull(t *testing.T) {
	lines := `service  web tcp 198.18.0.100:80 mode=fullnat
traffic  web sessions tcp count=5 every=50ms
@0s      wait   lb1 is Master and lb2 insync within 3s
@1s      crash  lb1
         expect gap(web) < 1ms
@2s      end
`
	file, results := scenario(t, lines), t.TempDir()
	r := baton(t, "run", "--world", "sim", "--seed", "7", "--set", "bfd.tx=60ms", "--out", results, file)
	if r.code != exitFail {
		t.Errorf("exit code %d\n%s", r.code, r.errout)
	}
	for _, want := range []string{
		"FAIL          x\n  At +1.", " s, lb2 became MASTER (no MASTER, table in sync) after crash lb1, and the flows continued: gap: gap(web) < 1ms",
		"results: " + filepath.Join(results, "x"), "evidence: table-lb2.txt (", "no table of lb1: lb1 was not running",
		"replay: baton run --world sim --seed 7 --set bfd.tx=60ms " + file,
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("the output lacks %q:\n%s", want, r.out)
		}
	}
}

// TestExitCodeIsThatOfTheWorstRun: in any order.
func TestExitCodeIsThatOfTheWorstRun(t *testing.T) {
	for want, runs := range map[int][][]check.Outcome{
		exitPass:         {nil, {check.Pass}, {check.Skip, check.Pass}},
		exitInconclusive: {{check.Inconclusive}, {check.Inconclusive, check.Pass}, {check.Pass, check.Inconclusive, check.Skip}},
		exitFail: {{check.Fail}, {check.Fail, check.Pass}, {check.Pass, check.Fail, check.Skip},
			{check.Fail, check.Inconclusive}, {check.Inconclusive, check.Fail}, {check.Fail, check.Inconclusive, check.Pass}},
	} {
		for _, outcomes := range runs {
			if code := exitCode(worst(outcomes, false)); code != want {
				t.Errorf("%v: exit code %d, want %d", outcomes, code, want)
			}
		}
	}
}

// TestARunExitsWithTheCodeOfItsWorst: the worst scenario decides, in any order.
func TestARunExitsWithTheCodeOfItsWorst(t *testing.T) {
	write := func(name, claim string) string {
		file := filepath.Join(t.TempDir(), name+".scn")
		if err := os.WriteFile(file, []byte("scenario "+name+"\nservice web tcp 198.18.0.100:80\ntraffic web sessions tcp count=5 every=50ms\nalways "+claim+
			"\n@0s wait lb1 is Master and lb2 insync within 3s\n@1s end\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good, bad := write("good", "rst == 0"), write("bad", "masters == 2")
	for _, files := range [][]string{{good, bad}, {bad, good}} {
		if r := baton(t, append([]string{"run", "--world", "sim", "--out", t.TempDir()}, files...)...); r.code != exitFail {
			t.Errorf("%v: exit code %d\n%s%s", files, r.code, r.out, r.errout)
		}
	}
}

// TestAScenarioWithoutItsFaultIsASkip: the verdict names the steps that the world cannot execute. A
// run without any of its faults does not pass, and fails with --fail-on-skip.
func TestAScenarioWithoutItsFaultIsASkip(t *testing.T) {
	calm := "service web tcp 198.18.0.100:80\ntraffic web sessions tcp count=5 every=50ms\nalways lost == 0\n@0s wait lb1 is Master and lb2 insync within 3s\n"
	faultless := scenario(t, calm+"[netns] @500ms cut sync\n[netns] always rst == 0\n@1s end\n")
	partly := scenario(t, calm+"[netns] @500ms cut sync\n@1s crash lb2\n@2s end\n")
	for _, tt := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{faultless}, exitPass, []string{"SKIP          x (2 lines not executed)\n", "all its faults are guarded for the other world: [netns] @500ms cut lb1<->lb2 via sync",
			"\n  not executed: [netns] always rst == 0\n"}},
		{[]string{"--fail-on-skip", faultless}, exitFail, []string{"SKIP          x (2 lines not executed)\n"}},
		{[]string{"--fail-on-skip", partly}, exitPass, []string{"PASS          x (1 line not executed)\n", "\n  not executed: [netns] @500ms cut lb1<->lb2 via sync\n"}},
	} {
		out := t.TempDir()
		r := baton(t, append([]string{"run", "--world", "sim", "--out", out}, tt.args...)...)
		for _, want := range tt.says {
			if r.code != tt.code || !strings.Contains(r.out, want) {
				t.Errorf("%v: exit code %d without %q\n%s%s", tt.args, r.code, want, r.out, r.errout)
			}
		}
		if r = baton(t, "report", out); r.code != exitPass || !strings.Contains(r.out, "not executed)") || !strings.Contains(r.out, "x (sim): not executed: [netns] @500ms cut") {
			t.Errorf("the report: exit code %d\n%s%s", r.code, r.out, r.errout)
		}
		for _, file := range []string{"summary.md", "junit.xml", "report.json"} {
			if text, err := os.ReadFile(filepath.Join(out, file)); err != nil || !strings.Contains(string(text), "[netns] @500ms cut") {
				t.Errorf("%s: what was not executed is missing (%v)\n%s", file, err, text)
			}
		}
	}
}

// TestTwoScenariosOfOneName: run and lint refuse both files and name their places.
func TestTwoScenariosOfOneName(t *testing.T) {
	first, second := scenario(t, "always masters <= 1\n@1s end\n"), scenario(t, "always masters <= 1\n@2s end\n")
	want := second + ":1:10: scenario x: " + first + ":1 has the same name"
	for _, command := range []string{"run", "lint"} {
		if r := baton(t, command, first, second); r.code != exitBadInput || !strings.Contains(r.errout, want) {
			t.Errorf("%s: exit code %d\n%s", command, r.code, r.errout)
		}
	}
}

// TestAConfigurationThatNoNodeTakesIsRefused: run in either world and lint refuse it and name the line.
func TestAConfigurationThatNoNodeTakesIsRefused(t *testing.T) {
	lines := "service web tcp 198.18.0.100:80\nalways masters <= 1\n@1s crash lb1\n@2s end\n"
	file, right := scenario(t, "config limits.embryonic=5 limits.syn_challenge=9\n"+lines), scenario(t, lines)
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"lint", file}, file + ":2:27: baton node refuses the configuration of lb1: limits.syn_challenge: 9 is never reached"},
		{[]string{"run", "--world", "sim", file}, file + ":2:27: baton node refuses the configuration of lb1"},
		{[]string{"run", "--world", "netns", file}, file + ":2:27: baton node refuses the configuration of lb1"},
		{[]string{"lint", scenario(t, "config ha.hold=1ms\n"+lines)}, ":2:8: baton node refuses the configuration of lb1: ha.hold: 1ms is shorter than the detection time"},
		{[]string{"run", "--world", "sim", "--set", "ha.hold=0s", right}, "use at least 150ms (--set ha.hold=0s)"},
		{[]string{"run", "--world", "sim", "--set", "check.type=port", "--set", "check.timeout=2s", right}, "baton node refuses the configuration of lb1: check.timeout: 2s is out of range; use at most half of the interval, 500ms (--set check.timeout=2s)"},
	} {
		if r := baton(t, tt.args...); r.code != exitBadInput || !strings.Contains(r.errout, tt.says) || strings.Contains(r.out, "ok") {
			t.Errorf("%v: exit code %d\n%s%s", tt.args, r.code, r.out, r.errout)
		}
	}
}

func TestLintSpeaksJSON(t *testing.T) {
	wrong := scenario(t, "always masters <= 2\n@1s crsh lb1\n@2s end\n")
	r := baton(t, "lint", "--json", wrong)
	var found []plan.Record
	if err := json.Unmarshal([]byte(r.out), &found); err != nil || r.code != exitBadInput || r.errout != "" {
		t.Fatalf("exit code %d, %v\n%s%s", r.code, err, r.out, r.errout)
	}
	want := []plan.Record{
		{File: wrong, Line: 2, Column: 8, Severity: "warning", Message: "masters <= 2 cannot fail", Suggestion: "masters <= 1"},
		{File: wrong, Line: 3, Column: 5, Severity: "error", Message: `"crsh" is not a step`, Suggestion: "crash"},
	}
	if !slices.Equal(found, want) {
		t.Errorf("found %+v, want %+v", found, want)
	}
	if r := baton(t, "lint", "--json", scenario(t, "always masters <= 1\n@2s end\n")); r.code != exitPass || r.out != "[]\n" {
		t.Errorf("of what is right: exit code %d\n%s", r.code, r.out)
	}
}

// TestWhatARunHasNotSeenIsSaid: it is not a failure, because another run may see it.
func TestWhatARunHasNotSeenIsSaid(t *testing.T) {
	lines := "always masters <= 1\nsometimes masters == 2 ; lb1 is Master\n@0s wait lb1 is Master within 3s\n@1s end\n"
	r := baton(t, "run", "--world", "sim", "--out", t.TempDir(), scenario(t, lines))
	if r.code != exitPass || !strings.Contains(r.out, "\n  not seen in this run: sometimes masters == 2: masters is 1\n") || strings.Contains(r.out, "sometimes lb1") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.errout)
	}
}

// TestAPassDoesNotHideAFailure: the command judges all its files, in any order.
func TestAPassDoesNotHideAFailure(t *testing.T) {
	folder := t.TempDir()
	var files []string
	for _, s := range []struct{ name, claim string }{{"a-fails", "gap(web) < 1ms"}, {"b-passes", "gap(web) < 10s"}} {
		file := filepath.Join(folder, s.name+".scn")
		lines := "scenario " + s.name + "\nservice web tcp 198.18.0.100:80 mode=fullnat\ntraffic web sessions tcp count=5 every=50ms\n" +
			"@0s wait lb1 is Master and lb2 insync within 3s\n@1s crash lb1\n  expect " + s.claim + "\n@2s end\n"
		if err := os.WriteFile(file, []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	r := baton(t, append([]string{"run", "--world", "sim", "--out", t.TempDir()}, files...)...)
	if r.code != exitFail || !strings.Contains(r.out, "PASS          b-passes") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.errout)
	}
}

func TestACommandLineReadsBackInAShell(t *testing.T) {
	got := commandLine("baton", "run", "--set", "a=b c", "it's.scn", "")
	if want := `baton run --set 'a=b c' 'it'\''s.scn' ''`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A mistake of the user gets one line and exit code 2, before anything runs.
func TestBadInput(t *testing.T) {
	calm := scenario(t, "@1s end\n")
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"run", "--keep", "some", calm}, `--keep "some": the policies are: failed, all, none`},
		{[]string{"run", "--evidence-limit", "much", calm}, `--evidence-limit "much" is not a size`},
		{[]string{"run", "--evidence-limit", "1KiB", calm}, "--evidence-limit 1KiB is too small"},
		{[]string{"run", "--upgrade-to", "/nowhere/baton", calm}, "--upgrade-to exec: \"/nowhere/baton\""},
		{[]string{"run", "--world", "moon", calm}, "--world \"moon\""},
		{[]string{"run", filepath.Join(t.TempDir(), "none.scn")}, "no such file"},
		{[]string{"run", "--sut", "none.yaml", calm}, ": subject: open none.yaml: no such file"},
		{[]string{"run"}, "requires at least 1 arg"},
		{[]string{"run", "--seed", "1..20", calm}, `--seed takes one whole number, 0 or more, not "1..20"; --seed 1 --repeat 20 is 1 to 20`},
		{[]string{"run", "--repeat", "5-9", calm}, `--repeat takes one whole number, not "5-9"; --seed 5 --repeat 5 is 5 to 9`},
		{[]string{"run", "-j", "max", calm}, `--jobs takes one whole number, not "max"; see`},
		{[]string{"run", "--seed", "-1", calm}, `--seed takes one whole number, 0 or more, not "-1"; see`},
		{[]string{"run", "--watch=yes", calm}, `--watch takes true or false, not "yes"`},
		{[]string{"sim", "--seeds", "1..20"}, `--seeds takes one whole number, not "1..20"; --start 1 --seeds 20 is 1 to 20`},
		{[]string{"shrink", "--seed", "1,2", calm}, `--seed takes one whole number, 0 or more, not "1,2"; call the command once for each seed`},
		{[]string{"shrink", "--seed", "1", "--within", "5", calm}, `--within takes one time such as 500ms or 10s, not "5"`},
		{[]string{"dance"}, "unknown command"},
		{[]string{"completion", "nosh"}, "unknown command"},
		{[]string{"compare", "--update", "--json", "a", "b"}, "[json update] were all set"},
		{[]string{"status", "--watch", "--json"}, "[json watch] were all set"},
		{[]string{"backend", "set", "web", "198.18.1.11:80"}, `required flag(s) "weight" not set`},
		{[]string{"run", "--world", "sim", "--out", "/proc/none", calm}, "--out: mkdir /proc/none"},
		{[]string{"sim", "--seeds", "1", "--out", "/proc/none"}, "--out: mkdir /proc/none"},
		{[]string{"sim", "--seeds", "0"}, "the range is empty"},
		{[]string{"sim", "--seeds", "-3"}, "the range is empty"},
		{[]string{"sim", "--seeds", "9", "--start", "18446744073709551610"}, "beyond the largest seed"},
		{[]string{"sim", "--shard", "4/4"}, "shard 4 is not from 0 to 3"},
		{[]string{"sim", "--shard", "-1/4"}, "shard -1 is not from 0 to 3"},
		{[]string{"sim", "--shard", "0/0"}, `--shard "0/0": at least 1 shard`},
		{[]string{"sim", "--shard", "two"}, `--shard "two" is not i/n`},
		{[]string{"sim", "--seeds", "2", "--shard", "2/3"}, "shard 2 of 2 seeds: the range is empty"},
		{[]string{"sim", "--seeds", "2", "--start", "18446744073709551615"}, "beyond the largest seed"},
		{[]string{"sim", "--workers", "-1"}, "workers -1"},
		{[]string{"sim", "--max-violations", "-1"}, "violations -1"},
		{[]string{"shrink"}, `required flag(s) "seed" not set`},
		{[]string{"shrink", "--seed", "1", "--tries", "0", calm}, "--tries 0"},
		{[]string{"shrink", "--seed", "1", "--within", "-1s", calm}, "--within -1s"},
		{[]string{"explore", "--depth", "0"}, "depth 0 is not 1 to 255"},
		{[]string{"explore", "--depth", "1", "--out", "/proc/none"}, "--out: mkdir /proc/none"},
		{[]string{"shrink", "--seed", "1", calm}, "seed 1 does not fail"},
		{[]string{"pki", "init", "/proc/none", "lb1", "lb2"}, "pki: mkdir /proc/none"},
		{[]string{"pki", "init", t.TempDir(), "lb1", "lb1"}, `pki: both nodes are called "lb1"`},
		{[]string{"pki", "init", t.TempDir(), "lb1", "../lb2"}, `pki: "../lb2" is not a node id`},
		{[]string{"pki", "issue", t.TempDir(), "../lb1"}, `pki: "../lb1" is not a node id`},
		{[]string{"node", "--config", calm, "--log", "xml"}, `--log "xml": use text or json`},
	} {
		r := baton(t, tt.args...)
		if r.code != exitBadInput || !strings.Contains(r.errout, tt.says) || strings.Count(r.errout, "\n") != 1 || r.out != "" {
			t.Errorf("baton %v: exit code %d\n%s%s", tt.args, r.code, r.out, r.errout)
		}
	}
}

// Every command that holds others refuses a word that is none of them, such as a verb that is misspelt.
func TestAWordThatIsNoCommandIsRefused(t *testing.T) {
	everyCommand(rootCommand(), func(c *cobra.Command) {
		if !c.HasSubCommands() {
			return
		}
		path := strings.Fields(c.CommandPath())[1:]
		if r := baton(t, append(path, "dance")...); r.code != exitBadInput || !strings.Contains(r.errout, `unknown command "dance"`) || r.out != "" {
			t.Errorf("%s dance: exit code %d\n%s%s", c.CommandPath(), r.code, r.out, r.errout)
		}
	})
}

// TestRunsSideBySideAreCounted: the output of parallel runs does not mix, and the last line counts
// all outcomes.
func TestRunsSideBySideAreCounted(t *testing.T) {
	lines := "service web tcp 198.18.0.100:80\ntraffic web sessions tcp count=5 every=50ms\nalways lost == 0\n@0s wait lb1 is Master and lb2 insync within 3s\n@1s crash lb2\n@2s end\n"
	r := baton(t, "run", "--world", "sim", "-j", "3", "--repeat", "4", "--out", t.TempDir(), scenario(t, lines))
	if r.code != exitPass || strings.Count(r.out, "PASS          x\n  udp")+strings.Count(r.out, "PASS          x\n  tcp") != 4 || !strings.Contains(r.out, "\n4 runs: 4 PASS; ") || !strings.HasSuffix(r.out, "s CPU\n") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.errout)
	}
	if r := baton(t, "run", "-j", "0", scenario(t, lines)); r.code != exitBadInput || !strings.Contains(r.errout, "--jobs 0: at least 1") {
		t.Errorf("exit code %d\n%s", r.code, r.errout)
	}
}

// TestACaseIsRunAgainAlone: the replay command of a case, on the terminal and in the report, runs
// only this case.
func TestACaseIsRunAgainAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "cases.scn")
	text := "scenario nobody-moves-$n\nfor n in 1 2\nservice web tcp 198.18.0.100:80\ntraffic web sessions tcp count=$n\n" +
		"@0s wait lb1 is Master and lb2 insync within 5s\n@1s expect lb2 is Master within 100ms\n@2s end\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	r := baton(t, "run", "--world", "sim", "--out", out, "--set", "bfd.tx=40ms", file)
	replay := "baton run --world sim --seed 1 --set bfd.tx=40ms --only nobody-moves-2 " + file
	if r.code != exitFail || !strings.Contains(r.out, "  replay: "+replay+"\n") {
		t.Errorf("exit code %d, want %d and %s\n%s%s", r.code, exitFail, replay, r.out, r.errout)
	}
	if r := baton(t, "report", out); !strings.Contains(r.out, "  replay: "+replay+"\n") {
		t.Errorf("the report does not say %s\n%s", replay, r.out)
	}
	again := baton(t, append(strings.Fields(replay)[1:], "--out", filepath.Join(dir, "again"))...)
	if again.code != exitFail || !strings.Contains(again.out, "nobody-moves-2") || strings.Contains(again.out, "nobody-moves-1") {
		t.Errorf("exit code %d, and it ran\n%s%s", again.code, again.out, again.errout)
	}
	if r := baton(t, "run", "--world", "sim", "--only", "nobody-moves-3", file); r.code != exitBadInput || !strings.Contains(r.errout, "nobody-moves-1, nobody-moves-2") {
		t.Errorf("a case that is not there: exit code %d, %s", r.code, r.errout)
	}
}
