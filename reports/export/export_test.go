package export

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton/reports/model"
)

// hostile is what a trace may hold: markup, terminal sequences, paths, line ends.
const hostile = "`</x>\"'<script>alert(1)</script>]]>\x1b[31m\x07\u202e|../../etc\\passwd\r\n# heading [a](http://b) @all \xff"

func suite() *model.Suite {
	return &model.Suite{Version: model.Version, Outcome: "FAIL", Counts: map[string]int{"FAIL": 1, "PASS": 1},
		Environments: []model.Environment{{Kernel: hostile, CPU: hostile, Runs: 2}},
		Rows: []model.Row{{Scenario: hostile, World: hostile, Settings: []string{hostile}, Verdict: "FAIL", Passed: 1, Failed: 1, Runs: []int{0, 1}, Unexecuted: []string{hostile},
			Figures: []model.Figure{{Name: "takeover_ms", Unit: "ms", Median: 120.5, Values: []float64{120.5}, Of: []int{0}}}}},
		Runs: []model.Run{{Verdict: "PASS", Took: 1e9}, {Verdict: "FAIL", Dir: hostile, Reasons: []string{hostile, "second"}, Replay: hostile}},
		Campaigns: []model.Campaign{{Kind: "campaign", Title: hostile, Planned: 2, Done: 2,
			Violations: []model.Violation{{Seed: 3, Check: hostile, Reason: hostile, Replay: hostile}}}},
		Mutants:  &model.Mutants{Killed: 1, Survived: 1, Mutants: []model.Mutant{{Name: hostile, Outcome: "survived"}, {Name: "b", Outcome: "killed"}}},
		Problems: []model.Problem{{File: hostile, Line: 3, What: hostile}}}
}

func TestJUnitCountsEachVerdictAndIsXML(t *testing.T) {
	var out bytes.Buffer
	if err := JUnit(&out, suite()); err != nil {
		t.Fatal(err)
	}
	var read junitSuites
	if err := xml.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
	got := map[string][4]int{}
	for i, s := range read.Suites {
		name := []string{"runs", "simulator", "mutants", "input"}[i]
		got[name] = [4]int{s.Tests, s.Failures, s.Errors, s.Skipped}
	}
	want := map[string][4]int{"runs": {2, 1, 0, 0}, "simulator": {1, 1, 0, 0}, "mutants": {2, 1, 0, 0}, "input": {1, 0, 1, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The hostile text became no element.
	decoder := xml.NewDecoder(bytes.NewReader(out.Bytes()))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if start, ok := token.(xml.StartElement); ok && !strings.Contains("testsuites testcase failure error skipped system-out", start.Name.Local) {
			t.Errorf("element %s", start.Name.Local)
		}
	}
	if i := bytes.IndexFunc(out.Bytes(), func(r rune) bool { return r < ' ' && r != '\n' || r == '\u202e' }); i >= 0 {
		t.Errorf("a control character at %d: %q", i, out.Bytes()[i:i+10])
	}
}

// TestJUnitHasTheVerdictOfEachRun: some readers use the elements of a case, others the
// numbers of a suite; both give the same result.
func TestJUnitHasTheVerdictOfEachRun(t *testing.T) {
	for verdict, want := range map[string]struct {
		element string
		numbers [4]int
	}{
		"PASS":         {"", [4]int{1, 0, 0, 0}},
		"FAIL":         {"failure", [4]int{1, 1, 0, 0}},
		"INCONCLUSIVE": {"error", [4]int{1, 0, 1, 0}},
		"SKIP":         {"skipped", [4]int{1, 0, 0, 1}},
		"MELTED":       {"error", [4]int{1, 0, 1, 0}}, // of another version
	} {
		var out bytes.Buffer
		err := JUnit(&out, &model.Suite{Rows: []model.Row{{Scenario: "s", World: "netns", Runs: []int{0}}},
			Runs: []model.Run{{Verdict: verdict, Reasons: []string{"because"}}}})
		var read junitSuites
		if err := errors.Join(err, xml.Unmarshal(out.Bytes(), &read)); err != nil || len(read.Suites) != 1 || len(read.Suites[0].Cases) != 1 {
			t.Fatalf("%s: %v\n%s", verdict, err, out.Bytes())
		}
		s := read.Suites[0]
		if got := [4]int{s.Tests, s.Failures, s.Errors, s.Skipped}; got != want.numbers {
			t.Errorf("%s: tests, failures, errors, skipped are %v, want %v", verdict, got, want.numbers)
		}
		for element, reason := range map[string]*junitReason{"failure": s.Cases[0].Failure, "error": s.Cases[0].Error, "skipped": s.Cases[0].Skipped} {
			if (reason != nil) != (element == want.element) || reason != nil && reason.Message != "because" {
				t.Errorf("%s: element %s is %+v", verdict, element, reason)
			}
		}
	}
}

// TestSummaryShowsForeignTextAsCodeOnly: text of a trace appears only in code spans.
func TestSummaryShowsForeignTextAsCodeOnly(t *testing.T) {
	var out bytes.Buffer
	if err := Summary(&out, suite()); err != nil {
		t.Fatal(err)
	}
	outside := regexp.MustCompile("`[^`\n]*`").ReplaceAllString(out.String(), "")
	for _, part := range []string{"`", "<", "script", "http", "@all", "heading", "\x1b", "\u202e", "passwd"} {
		if strings.Contains(outside, part) {
			t.Errorf("%q stands outside of code:\n%s", part, outside)
		}
	}
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "| ") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 5+len(summaryFigures) {
			t.Errorf("a cell broke its row: %s", line)
		}
	}
	if !strings.Contains(out.String(), "120.5") || !strings.Contains(out.String(), "1 of 2") {
		t.Errorf("figures are missing:\n%s", out.String())
	}
}

// A row names the subject if it is not the reference node.
func TestSummaryNamesTheSubject(t *testing.T) {
	s := suite()
	s.Rows[0].SUT = "keepalived"
	var out bytes.Buffer
	if err := Summary(&out, s); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), " keepalived`"); n < 3 {
		t.Errorf("the subject stands in %d places, want in its row, beside its failure and what it did not execute\n%s", n, out.String())
	}
}

func TestJSONReadsBack(t *testing.T) {
	var out bytes.Buffer
	want := suite()
	want.Environments = nil // bytes that are no UTF-8 do not come back
	for _, s := range []*string{&want.Rows[0].Scenario, &want.Rows[0].World, &want.Rows[0].Settings[0], &want.Rows[0].Unexecuted[0], &want.Runs[1].Dir, &want.Runs[1].Reasons[0],
		&want.Runs[1].Replay, &want.Campaigns[0].Title, &want.Campaigns[0].Violations[0].Check, &want.Campaigns[0].Violations[0].Reason,
		&want.Campaigns[0].Violations[0].Replay, &want.Mutants.Mutants[0].Name, &want.Problems[0].File, &want.Problems[0].What} {
		*s = strings.ToValidUTF8(*s, "")
	}
	if err := JSON(&out, want); err != nil {
		t.Fatal(err)
	}
	var got model.Suite
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got); diff != "" {
		t.Error(diff)
	}
}
