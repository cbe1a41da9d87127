package load

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"baton/reports/model"
	"baton/scenarios/check"
)

const scenario = `scenario small
doc      For the reader of traces.
topo     pair clients=1 backends=2
service  web tcp 198.18.0.100:80 mode=fullnat
traffic  web sessions tcp count=1 every=100ms
always   masters <= 1
@0s      wait   lb1 is Master                within 3s
@1s      end
`

const whole = `{"t":1,"kind":"meta","meta":{"version":2,"scenario":"small","world":"sim","sut":"reference","seed":7,"detect":"150ms"}}
{"t":2,"kind":"step","step":{"index":0,"text":"wait lb1 is Master within 3s","phase":"begin"}}
{"t":3,"node":"lb1","kind":"role","role":{"from":"Claiming","to":"Master","reason":"forwarding","epoch":1,"gates":[]}}
{"t":4,"kind":"step","step":{"index":0,"text":"wait lb1 is Master within 3s","phase":"end"}}
{"t":1000000002,"kind":"step","step":{"index":1,"text":"end","phase":"begin"}}
{"t":1000000003,"kind":"totals","totals":{"name":"web","kind":"sessions","proto":"tcp","final":true,"sessions":1,"opened":1,"sent":9,"received":9,"bytes":9}}
{"t":1000000004,"kind":"step","step":{"index":1,"text":"end","phase":"end"}}
`

const passed = `{"scenario":"small","world":"sim","sut":"reference","seed":7,"verdict":"PASS","reasons":[],"checks":[],"metrics":{}}`

// storedRun creates the folder of a run. A file with an empty text is omitted.
func storedRun(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAWholeRunIsJudgedAgainWithoutAProblem(t *testing.T) {
	dir := storedRun(t, map[string]string{TraceFile: whole, ResultFile: passed, ScenarioFile: scenario})
	run := NewReader().Read(dir)
	v, only := run.Verdict()
	if len(run.Problems) > 0 || only != "" || v.Verdict != check.Pass || len(v.Checks) == 0 || v.Seed != 7 {
		t.Errorf("verdict %+v, only %q, problems %+v", v, only, run.Problems)
	}
}

// TestDamageIsNamedAndTheRestKept: each kind of damage is reported with its location, and the
// usable part is kept.
func TestDamageIsNamedAndTheRestKept(t *testing.T) {
	lines := strings.SplitAfter(whole, "\n")
	insert := func(at int, text string) string {
		return strings.Join(lines[:at], "") + text + strings.Join(lines[at:], "")
	}
	newer := strings.Replace(whole, `"version":2`, `"version":3`, 1)
	for name, c := range map[string]struct {
		files   map[string]string
		file    string // that the problem names
		line    int
		what    string
		events  int
		verdict check.Outcome
		only    string
	}{
		"cut off in the middle of a line": {map[string]string{TraceFile: whole[:len(whole)-20], ResultFile: passed, ScenarioFile: scenario},
			TraceFile, 7, "cut off", 6, check.Inconclusive, ""},
		"a line that is no JSON": {map[string]string{TraceFile: insert(3, "garbage\n"), ResultFile: passed, ScenarioFile: scenario},
			TraceFile, 4, "no event", 7, check.Inconclusive, ""},
		"a line of another type": {map[string]string{TraceFile: insert(3, `{"t":"soon"}`+"\n"), ResultFile: passed, ScenarioFile: scenario},
			TraceFile, 4, "no event", 7, check.Inconclusive, ""},
		"a huge line": {map[string]string{TraceFile: insert(2, `{"note":"`+strings.Repeat("x", 3<<20)+"\"}\n"), ResultFile: passed, ScenarioFile: scenario},
			TraceFile, 3, "longer than", 7, check.Inconclusive, ""},
		"two versions in one trace": {map[string]string{TraceFile: whole + firstLine(newer), ResultFile: passed, ScenarioFile: scenario},
			TraceFile, 8, "version 3, after small in sim, version 2", 7, check.Inconclusive, ""},
		"one trace twice": {map[string]string{TraceFile: whole + whole, ResultFile: passed, ScenarioFile: scenario},
			TraceFile, 8, "two traces, or one twice", 13, check.Inconclusive, ""},
		"the mark of a text editor": {map[string]string{TraceFile: "\ufeff" + whole, ResultFile: passed, ScenarioFile: scenario},
			"", 0, "", 7, check.Pass, ""},
		"a newer version": {map[string]string{TraceFile: newer, ResultFile: passed, ScenarioFile: scenario},
			"", 0, "", 7, check.Pass, "version 3"},
		"no scenario": {map[string]string{TraceFile: whole, ResultFile: passed},
			ScenarioFile, 0, "no such file", 7, check.Pass, "scenario is not stored"},
		"another scenario": {map[string]string{TraceFile: whole, ResultFile: passed, ScenarioFile: strings.Replace(scenario, "small", "other", 1)},
			ScenarioFile, 0, "is scenario other, the run is one of small", 7, check.Pass, "scenario is not stored"},
		"a broken scenario": {map[string]string{TraceFile: whole, ResultFile: passed, ScenarioFile: "nonsense"},
			ScenarioFile, 0, "nonsense", 7, check.Pass, "cannot be read"},
		"no trace":        {map[string]string{ResultFile: passed, ScenarioFile: scenario}, TraceFile, 0, "no such file", 0, check.Pass, "trace is missing"},
		"an empty trace":  {map[string]string{TraceFile: "", ResultFile: passed, ScenarioFile: scenario}, TraceFile, 0, "holds no event", 0, check.Pass, "empty"},
		"no result":       {map[string]string{TraceFile: whole, ScenarioFile: scenario}, ResultFile, 0, "no such file", 7, check.Inconclusive, ""},
		"a broken result": {map[string]string{TraceFile: whole, ResultFile: "{", ScenarioFile: scenario}, ResultFile, 0, "unexpected end", 7, check.Inconclusive, ""},
		"a verdict that there is not": {map[string]string{TraceFile: whole, ResultFile: strings.Replace(passed, "PASS", "<b>MAYBE", 1), ScenarioFile: scenario},
			ResultFile, 0, `has the verdict "<b>MAYBE"`, 7, check.Inconclusive, ""},
		"nothing but a broken trace": {map[string]string{TraceFile: "x\n"}, TraceFile, 1, "no event", 0, check.Inconclusive, "scenario"},
	} {
		t.Run(name, func(t *testing.T) {
			run := NewReader().Read(storedRun(t, c.files))
			v, only := run.Verdict()
			if len(run.Events) != c.events || v.Verdict != c.verdict || (only == "") != (c.only == "") || !strings.Contains(only, c.only) {
				t.Errorf("%d events, verdict %s, only %q; want %d, %s, %q", len(run.Events), v.Verdict, only, c.events, c.verdict, c.only)
			}
			if c.file != "" && !named(run.Problems, c.file, c.line, c.what) {
				t.Errorf("no problem names %s:%d %q: %+v", c.file, c.line, c.what, run.Problems)
			}
		})
	}
}

func firstLine(text string) string { return text[:strings.IndexByte(text, '\n')+1] }

func named(problems []model.Problem, file string, line int, what string) bool {
	for _, p := range problems {
		if filepath.Base(p.File) == file && p.Line == line && strings.Contains(p.What, what) {
			return true
		}
	}
	return false
}

func TestManyBadLinesAreCountedNotListed(t *testing.T) {
	dir := storedRun(t, map[string]string{TraceFile: whole + strings.Repeat("bad\n", 1000), ResultFile: passed, ScenarioFile: scenario})
	run := NewReader().Read(dir)
	if run.Lost != 1000 || len(run.Problems) != problemsMost+1 || !named(run.Problems, TraceFile, 0, "990 more lines") {
		t.Errorf("%d lost, problems %+v", run.Lost, run.Problems)
	}
}

func TestRunsAreFoundAtAnyDepthAndOnce(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"a", "shard-1/deep/b", "shard-2/c.sim"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{TraceFile, ResultFile} {
			if err := os.WriteFile(filepath.Join(root, dir, file), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	found := Find([]string{root, filepath.Join(root, "a"), root, filepath.Join(root, "absent")})
	if len(found.Runs) != 3 {
		t.Errorf("found %v", found.Runs)
	}
	if !named(found.Problems, "absent", 0, "no such file") {
		t.Errorf("problems %+v", found.Problems)
	}
}

// A pipe or a device in place of a file is reported, and reading it never blocks.
func TestAFileThatIsNotRegularIsReported(t *testing.T) {
	dir := storedRun(t, map[string]string{ResultFile: passed})
	if err := errors.Join(syscall.Mkfifo(filepath.Join(dir, TraceFile), 0o644), os.Symlink("/dev/zero", filepath.Join(dir, ScenarioFile))); err != nil {
		t.Fatal(err)
	}
	run := NewReader().Read(dir)
	for _, file := range []string{TraceFile, ScenarioFile} {
		if !named(run.Problems, file, 0, "is not a regular file") {
			t.Errorf("no problem names %s: %+v", file, run.Problems)
		}
	}
}
