package plan

import (
	"slices"
	"strings"
	"testing"

	"baton/scenarios/fault"
	"baton/scenarios/metric"

	"github.com/google/go-cmp/cmp"
)

// The template of a new scenario is valid as it is, and mentions everything there is.
func TestTheTemplateIsAScenario(t *testing.T) {
	text, err := Template("mine")
	if err != nil {
		t.Fatal(err)
	}
	p, found := Check("mine.scn", []byte(text))
	if len(found) > 0 || p.Name != "mine" {
		t.Errorf("%s: %v", p.Name, found)
	}
	for _, word := range slices.Concat(fault.Words(), metric.Names(), keyWords(), named) {
		if !strings.Contains(text, word) {
			t.Errorf("nothing of %s", word)
		}
	}
	if _, err := Template("a/b"); err == nil {
		t.Error("a name that is no folder is taken")
	}
}

func TestExplanation(t *testing.T) {
	p := mustParse(t, preamble+`config bfd.tx=20ms
config lb2 bfd.mult=5
[sim] always rst == 0
always lost == 0 ; gap(web) < 2*detect-10ms
@0s  wait lb1 is Master within 3s
@1s  crash lb1 for 2s
     expect lb2 is Master within detect+50ms
     expect gap(web) < hold
@2s  expect rst == 0
     expect masters == 1 throughout 500ms
@4s  end eventually converged within 5s
`)
	// lb1 detects lb2 after 5 × max(20, 50) ms.
	want := Explanation{Scenario: "s", World: Netns, NotExecuted: []string{"[sim] always rst == 0"}, Values: []Value{
		{"detect", 250, "lb1 detects lb2 after its bfd.mult 5 (line 8) times the slower of its bfd.tx 20ms (line 7) and lb1's bfd.rx 50ms (default)"},
		{"hold", 500, "ha.hold 500ms (default)"},
		{"track", 400, "one probe that is answered and track.misses 3 (default) that are not, each after track.every 100ms (default)"},
	}, Moments: []Moment{
		{Line: 11, What: "wait lb1 is Master within 3s", Window: &Window{0, 3000, "within 3s = 3000 ms, at most; the clock stands still until it holds"}},
		{Line: 12, AtMS: 1000, What: "crash lb1"},
		{Line: 13, AtMS: 1000, What: "expect lb2 is Master within detect+50ms", Window: &Window{1000, 1300, "within detect+50ms = 250 + 50 = 300 ms of crash in line 12"}},
		{Line: 14, AtMS: 1000, What: "expect gap(web) < hold", Window: &Window{1000, 3000, "from crash in line 12 to the next fault, restore in line 12"}, Bound: "gap(web) < hold = 500 ms"},
		{Line: 15, AtMS: 2000, What: "expect rst == 0", Window: &Window{2000, 3000, "from its own time to the next fault, restore in line 12"}},
		{Line: 16, AtMS: 2000, What: "expect masters == 1 throughout 500ms", Window: &Window{2000, 2500, "throughout 500ms = 500 ms from expect in line 15"}},
		{Line: 12, AtMS: 3000, What: "restore lb1"},
		{Line: 17, AtMS: 4000, What: "end eventually converged within 5s", Window: &Window{4000, 9000, "eventually, within 5s = 5000 ms, after the traffic has stopped"}},
		{Line: 10, What: "always lost == 0", Window: &Window{0, 4000, "from the first step to the end"}},
		{Line: 10, What: "always gap(web) < 2*detect-10ms", Window: &Window{0, 4000, "from the first step to the end"}, Bound: "gap(web) < 2*detect-10ms = 500 - 10 = 490 ms"},
	}}
	if diff := cmp.Diff(want, Explain(p, Netns)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAnExplanationNamesWhatTheCommandLineSet(t *testing.T) {
	p := mustParse(t, preamble+"config hold=2s\n@1s end\n")
	if err := p.Set("ha.hold=3s"); err != nil {
		t.Fatal(err)
	}
	if got := Explain(p, Sim).Values[1]; got != (Value{"hold", 3000, "ha.hold 3s (--set)"}) {
		t.Errorf("%+v", got)
	}
}
