package export

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"baton/reports/model"
	"baton/reports/sanitize"
)

// The elements of the JUnit format that common readers support.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`

		took time.Duration
	}
	junitCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Time    string       `xml:"time,attr"`
		Failure *junitReason `xml:"failure"`
		Error   *junitReason `xml:"error"`
		Skipped *junitReason `xml:"skipped"`
		Out     string       `xml:"system-out,omitempty"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes junit.xml: a suite for each world with a case for each run, and one
// each for campaigns, mutants and unusable input. INCONCLUSIVE is an error, because
// the run proves nothing.
func JUnit(w io.Writer, s *model.Suite) error {
	var all junitSuites
	at := map[string]int{}
	suite := func(name string) *junitSuite {
		if _, ok := at[name]; !ok {
			at[name] = len(all.Suites)
			all.Suites = append(all.Suites, junitSuite{Name: sanitize.Terminal(name)})
		}
		return &all.Suites[at[name]]
	}
	for _, row := range s.Rows {
		for n, i := range row.Runs {
			suite(row.World).add(runCase(row, s.Runs[i], n), s.Runs[i].Verdict, s.Runs[i].Took)
		}
	}
	for _, c := range s.Campaigns {
		verdict, reason := campaignVerdict(c)
		suite("simulator").add(junitCase{Class: c.Kind, Name: c.Title}.because(verdict, reason), verdict, c.Took)
	}
	if s.Mutants != nil {
		for _, m := range s.Mutants.Mutants {
			verdict := "PASS"
			if m.Outcome != "killed" {
				verdict = "FAIL"
			}
			suite("mutants").add(junitCase{Class: "mutants", Name: m.Name}.because(verdict, []string{m.Outcome}), verdict, m.Took)
		}
	}
	for _, p := range s.Problems {
		name := p.File
		if p.Line > 0 {
			name = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		suite("input").add(junitCase{Class: "input", Name: name}.because("INCONCLUSIVE", []string{p.What}), "INCONCLUSIVE", 0)
	}
	for i := range all.Suites {
		all.Suites[i].Time = seconds(all.Suites[i].took)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", " ")
	if err := encoder.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func runCase(row model.Row, run model.Run, n int) junitCase {
	c := junitCase{Class: row.World, Name: strings.Join(append([]string{row.Scenario}, row.Settings...), " ")}
	if len(row.Runs) > 1 {
		c.Name += fmt.Sprintf(" #%d", n+1)
	}
	var out []string
	if run.Verdict == "FAIL" || run.Verdict == "INCONCLUSIVE" {
		out = append(out, "replay: "+run.Replay+"; results: "+run.Dir)
	}
	for _, line := range row.Unexecuted {
		out = append(out, "not executed: "+line)
	}
	for i := range out {
		out[i] = sanitize.Terminal(out[i])
	}
	c.Out = strings.Join(out, "\n")
	return c.because(run.Verdict, slices.Concat(run.Answer, run.Reasons))
}

// because adds the element for a verdict other than PASS, with its reasons.
func (c junitCase) because(verdict string, reasons []string) junitCase {
	c.Class, c.Name = sanitize.Terminal(c.Class), sanitize.Terminal(c.Name)
	r := &junitReason{Message: verdict}
	lines := make([]string, len(reasons))
	for i, reason := range reasons {
		lines[i] = sanitize.Terminal(reason)
	}
	if len(lines) > 0 {
		r.Message = lines[0]
	}
	r.Text = strings.Join(lines, "\n")
	switch verdict {
	case "PASS":
	case "FAIL":
		c.Failure = r
	case "SKIP":
		c.Skipped = r
	default:
		c.Error = r
	}
	return c
}

func (s *junitSuite) add(c junitCase, verdict string, took time.Duration) {
	c.Time = seconds(took)
	s.took += took
	s.Tests++
	switch verdict {
	case "PASS":
	case "FAIL":
		s.Failures++
	case "SKIP":
		s.Skipped++
	default:
		s.Errors++
	}
	s.Cases = append(s.Cases, c)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// campaignVerdict returns the verdict of a search, and the reasons.
func campaignVerdict(c model.Campaign) (string, []string) {
	var reasons []string
	for _, v := range c.Violations {
		reasons = append(reasons, fmt.Sprintf("seed %d: %s: %s; replay: %s", v.Seed, v.Check, v.Reason, v.Replay))
	}
	switch {
	case len(reasons) > 0:
		return "FAIL", reasons
	case len(c.Lacking) > 0:
		return "INCONCLUSIVE", []string{fmt.Sprintf("%d of %d shards are missing", len(c.Lacking), c.Shards)}
	case c.Interrupted || c.Done < c.Planned:
		return "INCONCLUSIVE", []string{fmt.Sprintf("ended after %d of %d", c.Done, c.Planned)}
	}
	return "PASS", nil
}
