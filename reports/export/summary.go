package export

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"baton/reports/model"
	"baton/reports/sanitize"
	"baton/scenarios/metric"
)

// Limits of the summary: CI systems truncate a long one silently.
const (
	summaryRuns    = 30  // runs, lines or reasons listed
	summaryReasons = 3   // reasons of each run
	summaryText    = 300 // characters of a text
)

// Summary writes summary.md, for a CI job's summary: the outcome in one line, a table
// of scenarios, and the failures with the commands that replay them.
func Summary(w io.Writer, s *model.Suite) error {
	buf := bufio.NewWriter(w)
	fmt.Fprintf(buf, "## %s: %d runs", s.Outcome, len(s.Runs))
	for _, verdict := range []string{"FAIL", "INCONCLUSIVE", "PASS", "SKIP"} {
		if n := s.Counts[verdict]; n > 0 {
			fmt.Fprintf(buf, ", %d %s", n, verdict)
		}
	}
	fmt.Fprint(buf, "\n\n")
	summaryRows(buf, s)
	summaryUnexecuted(buf, s)
	summaryFailures(buf, s)
	summaryCoverage(buf, s)
	summarySearches(buf, s)
	summaryComparison(buf, s.Comparison)
	summaryProblems(buf, s.Problems)
	for _, e := range s.Environments {
		fmt.Fprintf(buf, "- %d runs on %s\n", e.Runs, code(fmt.Sprintf("%s %s, %d cores, kernel %s, %s, baton %s", e.Arch, e.CPU, e.Cores, e.Kernel, e.Go, e.Baton)))
	}
	return buf.Flush()
}

// summaryFigures are the metrics in the columns of the table.
var summaryFigures = slices.DeleteFunc(metric.Columns(), func(m metric.Metric) bool { return !m.Summary })

func summaryRows(w io.Writer, s *model.Suite) {
	if len(s.Rows) == 0 {
		return
	}
	fmt.Fprint(w, "| scenario | world | verdict | runs |")
	for _, m := range summaryFigures {
		fmt.Fprintf(w, " %s |", strings.ReplaceAll(m.Name, "_", " "))
	}
	fmt.Fprint(w, "\n|---|---|---|---|", strings.Repeat("---|", len(summaryFigures)), "\n")
	for _, row := range s.Rows {
		name := code(strings.Join(append([]string{row.Scenario}, row.Settings...), " "))
		if row.Control != nil {
			name += map[bool]string{true: " (control, caught)", false: " (control, **not caught**)"}[row.Control.Caught]
		}
		verdict := row.Verdict
		if n := len(row.Unexecuted); n > 0 {
			verdict += fmt.Sprintf(", **%d not executed**", n)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %d of %d |", name, code(row.Where()), verdict, row.Passed, len(row.Runs)-row.Skipped)
		for _, m := range summaryFigures {
			fmt.Fprintf(w, " %s |", summaryFigure(row, m.Name))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

func summaryFigure(row model.Row, name string) string {
	for _, f := range row.Figures {
		if f.Name == name {
			return strconv.FormatFloat(f.Median, 'f', -1, 64)
		}
	}
	return "–"
}

// summaryUnexecuted lists the scenario lines that were not executed.
func summaryUnexecuted(w io.Writer, s *model.Suite) {
	told := 0
	for _, row := range s.Rows {
		for _, line := range row.Unexecuted {
			if told++; told <= summaryRuns {
				fmt.Fprintf(w, "- not executed: %s in %s: %s\n", code(row.Scenario), code(row.Where()), code(line))
			}
		}
	}
	if told > summaryRuns {
		fmt.Fprintf(w, "- and %d more lines; index.html has them all\n", told-summaryRuns)
	}
	if told > 0 {
		fmt.Fprintln(w)
	}
}

func summaryFailures(w io.Writer, s *model.Suite) {
	told := 0
	for _, run := range s.Runs {
		if run.Verdict != "FAIL" && run.Verdict != "INCONCLUSIVE" {
			continue
		}
		if told++; told > summaryRuns {
			continue
		}
		row := s.Rows[run.Row]
		fmt.Fprintf(w, "**%s** %s in %s, seed %d\n", run.Verdict, code(row.Scenario), code(row.Where()), run.Seed)
		told := run.Answer
		if len(told) == 0 {
			told = run.Reasons
		}
		for i, sentence := range told {
			if i == summaryReasons {
				fmt.Fprintf(w, "- and %d more reasons\n", len(told)-i)
				break
			}
			fmt.Fprintf(w, "- %s\n", code(sentence))
		}
		fmt.Fprintf(w, "- replay: %s\n\n", sanitize.Code(run.Replay))
	}
	if told > summaryRuns {
		fmt.Fprintf(w, "And %d more runs; index.html has them all.\n\n", told-summaryRuns)
	}
}

// summaryCoverage writes the coverage, and the sometimes claims that no run satisfied.
func summaryCoverage(w io.Writer, s *model.Suite) {
	for _, c := range s.Coverage {
		fmt.Fprintf(w, "Coverage in %s: %d of %d combinations of fault, role and TCP phase.\n", code(c.World), c.Met, c.Possible)
	}
	for _, m := range s.Sometimes {
		if m.Seen == 0 {
			fmt.Fprintf(w, "- **never seen** in %d runs: sometimes %s: %s\n", m.Runs, code(m.Claim), code(m.Detail))
		}
	}
	if len(s.Coverage) > 0 {
		fmt.Fprintln(w)
	}
}

func summarySearches(w io.Writer, s *model.Suite) {
	for _, c := range s.Campaigns {
		verdict, reasons := campaignVerdict(c)
		fmt.Fprintf(w, "**%s** %s: %d of %d done, %d inconclusive\n", verdict, code(c.Title), c.Done, c.Planned, c.Inconclusive)
		for i, reason := range reasons {
			if i == summaryRuns {
				fmt.Fprintf(w, "- and %d more\n", len(reasons)-i)
				break
			}
			fmt.Fprintf(w, "- %s\n", code(reason))
		}
		fmt.Fprintln(w)
	}
	if m := s.Mutants; m != nil {
		fmt.Fprintf(w, "Mutants: %d killed, %d survived, %d no longer apply.\n\n", m.Killed, m.Survived, m.Stale)
	}
}

func summaryComparison(w io.Writer, c *model.Comparison) {
	if c == nil {
		return
	}
	fmt.Fprintf(w, "Compared with %s: **%s**\n", code(c.Base), c.Verdict)
	for _, row := range c.Rows {
		if row.Verdict != model.Same {
			fmt.Fprintf(w, "- %s: %s\n", row.Verdict, code(fmt.Sprintf("%s (%s) %s: %s", row.Scenario, row.World, row.Metric, row.Why)))
		}
	}
	fmt.Fprintln(w)
}

func summaryProblems(w io.Writer, problems []model.Problem) {
	for i, p := range problems {
		if i == summaryRuns {
			fmt.Fprintf(w, "- and %d more problems with the input; report.json has them all\n", len(problems)-i)
			break
		}
		file := p.File
		if p.Line > 0 {
			file = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		fmt.Fprintf(w, "- not read: %s: %s\n", code(file), code(p.What))
	}
	if len(problems) > 0 {
		fmt.Fprintln(w)
	}
}

// code formats a text from outside as code, truncated to summaryText.
func code(text string) string {
	if runes := []rune(text); len(runes) > summaryText {
		text = string(runes[:summaryText]) + "…"
	}
	return sanitize.Code(text)
}
