package check

import (
	"strings"
	"testing"

	"baton/impl/trace"
)

// TestOutputsOfPrograms: a program's output is judged by the part in the trace. If the trace has only
// the end of it, a missing text proves nothing.
func TestOutputsOfPrograms(t *testing.T) {
	said := trace.Program{Name: "curl", Output: "HTTP/1.1 200 OK\nbye\n", Last: "bye"}
	long := said
	long.Cut = true
	for _, c := range []struct {
		claim string
		ended []trace.Program
		want  Outcome
	}{
		{`output(curl) contains "200 OK"`, []trace.Program{said}, Pass},
		{`output(curl) contains "404"`, []trace.Program{said}, Fail},
		{`output(curl) not contains "404"`, []trace.Program{said}, Pass},
		{`output(curl) not contains "200 OK"`, []trace.Program{said}, Fail},
		{`output(curl) contains "200 OK"`, []trace.Program{long}, Pass},
		{`output(curl) contains "404"`, []trace.Program{long}, Inconclusive},
		{`output(curl) not contains "404"`, []trace.Program{long}, Inconclusive},
		{`output(curl) contains "200 OK"`, []trace.Program{{Name: "server", Output: "200 OK"}}, Inconclusive},
	} {
		tape := crash()
		for _, p := range c.ended {
			tape.add(99_000, "client1", trace.Event{Kind: trace.KindProgram, Program: &p})
		}
		runs := "@2500ms run client1 \"curl\" for 2s\n@2500ms run backend1 \"server\" for 2s"
		v := judged(scenario(t, "always "+c.claim, runs, ""), tape)
		found := false
		for _, check := range v.Checks {
			if check.Name == "output" {
				found = true
				if check.Verdict != c.want || !strings.Contains(check.Detail, c.claim) {
					t.Errorf("%s: %s %q, want %s and the claim", c.claim, check.Verdict, check.Detail, c.want)
				}
			}
		}
		if !found {
			t.Errorf("%s was not judged", c.claim)
		}
	}
}

// TestExitsOfPrograms: each program that ended, at any time, is judged by its exit status. One that
// never ended is not judged.
func TestExitsOfPrograms(t *testing.T) {
	for _, c := range []struct {
		claim string
		ended []trace.Program
		want  Outcome
	}{
		{"exit(curl) == 0", []trace.Program{{Name: "curl"}, {Name: "server", Exit: 137, Why: "killed at the end of the run"}}, Pass},
		{"exit(curl) == 0", []trace.Program{{Name: "curl", Exit: 7, Why: "exit status 7", Last: "refused"}}, Fail},
		{"exit == 0", []trace.Program{{Name: "curl"}, {Name: "server", Exit: 137, Why: "killed at the end of the run"}}, Fail},
		{"exit(server) == 137", []trace.Program{{Name: "curl"}, {Name: "server", Exit: 137, Why: "killed at the end of the run"}}, Pass},
		{"exit(curl) == 0", []trace.Program{{Name: "server"}}, Inconclusive},
	} {
		tape := crash()
		for _, p := range c.ended {
			tape.add(99_000, "client1", trace.Event{Kind: trace.KindProgram, Program: &p})
		}
		runs := "@2500ms run client1 \"curl\" for 2s\n@2500ms run backend1 \"server\" for 2s"
		v := judged(scenario(t, "always "+c.claim, runs, ""), tape)
		found := false
		for _, check := range v.Checks {
			if check.Name != "exit" {
				continue
			}
			found = true
			if check.Verdict != c.want && !(c.want == Inconclusive && check.Verdict == NotJudged) {
				t.Errorf("%s of %v: %s %s, want %s", c.claim, c.ended, check.Verdict, check.Detail, c.want)
			}
			if check.Verdict == Fail && !strings.Contains(check.Detail, c.ended[len(c.ended)-1].Why) {
				t.Errorf("%s does not say why", check.Detail)
			}
			if last := c.ended[0].Last; check.Verdict == Fail && last != "" && !strings.Contains(check.Detail, "its last output: "+last) {
				t.Errorf("%s does not tell its last output", check.Detail)
			}
		}
		if !found {
			t.Errorf("%s was not judged", c.claim)
		}
	}
}
