package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// standIn replaces baton for the script: it logs its arguments, exits with the code set for
// each subcommand, and writes the files that the script reads.
const standIn = `#!/usr/bin/env bash
echo "$@" >> calls
case $1 in
  run) mkdir -p out/runs ;;
  report) mkdir -p "$3" && echo "# the summary" > "$3/summary.md" ;;
  compare) echo "takeover: worse" ;;
esac
code=EXIT_$1
exit "${!code:-0}"
`

// The script of CI runs the given scenarios, always reports them, and exits with the most severe
// code.
func TestTheScriptOfCI(t *testing.T) {
	script, err := filepath.Abs("../../.ci/scenarios")
	if err != nil {
		t.Fatal(err)
	}
	const reported = "report --out out/report out/runs\n"
	run := func(files string) string {
		return "run --world sim --repeat 1 --keep failed --evidence-limit 16MiB --out out/runs " + files + "\n"
	}
	for _, tt := range []struct {
		name  string
		env   []string
		code  int
		calls string
		says  string
	}{
		{"patterns and names", []string{"FILES=ha/*.scn one.scn"}, exitPass, run("ha/a.scn ha/b.scn one.scn") + reported, ""},
		{"lines", []string{"FILES=ha/a.scn\nodd[1].scn\n"}, exitBadInput, "", "no file matches odd[1].scn"},
		{"nothing matches", []string{"FILES=one.scn none*.scn"}, exitBadInput, "", "no file matches none*.scn"},
		{"no files", nil, exitBadInput, "", "FILES names no scenario"},
		{"a failure is reported", []string{"FILES=one.scn", "EXIT_run=1"}, exitFail, run("one.scn") + reported, ""},
		{"so is a run that proves nothing", []string{"FILES=one.scn", "EXIT_run=3"}, exitInconclusive, run("one.scn") + reported, ""},
		{"of bad input there is nothing to report", []string{"FILES=one.scn", "EXIT_run=2"}, exitBadInput, run("one.scn"), ""},
		{"better than the baseline", []string{"FILES=one.scn", "BASELINE=base"}, exitPass, run("one.scn") + reported + "compare base out/runs\n", "takeover: worse"},
		{"worse than the baseline", []string{"FILES=one.scn", "BASELINE=base", "EXIT_compare=1"}, exitFail, run("one.scn") + reported + "compare base out/runs\n", "takeover: worse"},
		{"a failure outweighs no proof", []string{"FILES=one.scn", "BASELINE=base", "EXIT_run=3", "EXIT_compare=1"}, exitFail, run("one.scn") + reported + "compare base out/runs\n", ""},
		{"no proof stays", []string{"FILES=one.scn", "BASELINE=base", "EXIT_run=3"}, exitInconclusive, run("one.scn") + reported + "compare base out/runs\n", ""},
		{"a broken report is told", []string{"FILES=one.scn", "EXIT_report=1"}, exitFail, run("one.scn") + reported, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range []string{"ha/a.scn", "ha/b.scn", "one.scn", "out/runs/old/result.json"} {
				write(t, filepath.Join(dir, file), "", 0o644)
			}
			write(t, filepath.Join(dir, "baton"), standIn, 0o755)
			command := exec.Command(script)
			command.Dir = dir
			command.Env = append(os.Environ(), append(tt.env, "WORLD=sim", "BATON="+filepath.Join(dir, "baton"), "GITHUB_STEP_SUMMARY=summary")...)
			out, err := command.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if code := command.ProcessState.ExitCode(); code != tt.code || !strings.Contains(string(out), tt.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, tt.code, tt.says, out)
			}
			calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
			if string(calls) != tt.calls {
				t.Errorf("called\n%swant\n%s", calls, tt.calls)
			}
			summary, _ := os.ReadFile(filepath.Join(dir, "summary"))
			if strings.Contains(tt.calls, reported) && !strings.Contains(tt.name, "broken") && !strings.HasPrefix(string(summary), "# the summary\n") {
				t.Errorf("summary of the job:\n%s", summary)
			}
			if _, err := os.Stat(filepath.Join(dir, "out/runs/old")); tt.calls != "" && err == nil {
				t.Error("a run of an earlier time is still there")
			}
		})
	}
}

func write(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
