package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/netns"
	"baton/netns/subject"
)

// adapter writes an adapter file with a name and returns its path.
func adapter(t *testing.T, name, lines string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".yaml")
	if err := os.WriteFile(file, []byte("name: "+name+"\n"+lines), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// calm is a scenario without faults.
const calm = "topo pair clients=1 backends=1\nservice web tcp 198.18.0.100:80\ntraffic web connects tcp rate=10/s\ntolerate stall 10s\nalways masters <= 1\n" +
	"@0s wait masters == 1 within 5s\n@300ms end\n"

// TestTheExitCodeOfABench: the exit code is that of the worst run of the subjects that count. The
// tables are written in any case.
func TestTheExitCodeOfABench(t *testing.T) {
	if err := netns.Probe(); err != nil {
		t.Skipf("needs namespaces: %v", err)
	}
	file := scenario(t, calm)
	works := subject.ReferenceName
	dies := adapter(t, "dies", "run: exit 3\n")
	lacks := adapter(t, "lacks", "run: exec sleep 60\nneeds: [no-such-program]\n")
	for _, c := range []struct {
		name, subjects string
		flags          []string
		code           int
		verdicts       string
	}{
		{"all pass", works, nil, exitPass, "PASS"},
		{"one fails", works + "," + dies, nil, exitFail, "PASS FAIL"},
		{"another's failure", works + "," + dies, []string{"--own", works}, exitPass, "PASS FAIL"},
		{"one's own failure, by its path", works + "," + dies, []string{"--own", dies}, exitFail, "PASS FAIL"},
		{"nobody's failure", dies, []string{"--own", "none"}, exitPass, "FAIL"},
		{"a skip", lacks, nil, exitPass, "SKIP"},
		{"a skip that counts", lacks, []string{"--fail-on-skip"}, exitFail, "SKIP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each pair waits in namespaces of its own
			out := t.TempDir()
			r := baton(t, append([]string{"bench-subjects", "--out", out, "--subjects", c.subjects, file}, c.flags...)...)
			_, table, _ := strings.Cut(r.out, "\nverdicts ")
			line, _, _ := strings.Cut(table, "\n")
			if verdicts := strings.Join(strings.Fields(line), " "); r.code != c.code || verdicts != c.verdicts {
				t.Errorf("exit code %d with %q, want %d with %q\n%s%s", r.code, verdicts, c.code, c.verdicts, r.out, r.errout)
			}
			if _, err := os.Stat(filepath.Join(out, "scoreboard.md")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBadInputOfABench: contradictory arguments are refused before anything runs.
func TestBadInputOfABench(t *testing.T) {
	file := scenario(t, calm)
	one, twin := adapter(t, "one", "run: exec sleep 60\noptions: {speed: [slow, fast]}\n"), adapter(t, "one", "run: exec sleep 60\n")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--subjects", "keepalive"}, `--subjects "keepalive": the subjects with an adapter are`},
		{[]string{"--subjects", ""}, "--subjects: name one or more"},
		{[]string{"--subjects", one + "," + twin}, "are both called one"},
		{[]string{"--subjects", "ucarp,ucarp"}, "are both called ucarp"},
		{[]string{"--subjects", one + ":speed=fats"}, "option speed=fats: one of slow, fast"},
		{[]string{"--subjects", one + ":sped=fast"}, "no option sped; it has speed"},
		{[]string{"--subjects", "reference:speed=fast"}, "reference has no options"},
		{[]string{"--subjects", one, "--own", "two"}, "--own two: not among --subjects " + one},
		{[]string{"--subjects", one, "--own", "none,one"}, "none cannot be combined"},
		{[]string{"--subjects", one, "--repeat", "0"}, "--repeat 0: at least 1"},
	} {
		out := t.TempDir()
		r := baton(t, append([]string{"bench-subjects", "--out", out, file}, c.args...)...)
		if r.code != exitBadInput || !strings.Contains(r.errout, c.says) {
			t.Errorf("%q: exit code %d without %q\n%s", c.args, r.code, c.says, r.errout)
		}
		if made, _ := os.ReadDir(out); len(made) > 0 {
			t.Errorf("%q: %v was made", c.args, made)
		}
	}
}
