package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"baton/reports"
	"baton/reports/sanitize"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/evidence"
)

// printVerdict prints the outcome of a run and one line of figures. If it did not pass it
// also prints what went wrong first, the reasons, the evidence, and the replay command.
func printVerdict(w io.Writer, v check.Verdict, dir, replay string) {
	fmt.Fprintf(w, "%-12s  %s%s\n", v.Verdict, v.Scenario, reports.NotExecuted(v.NotExecuted))
	if first := reports.FirstSentence(dir, v); first != "" {
		fmt.Fprintf(w, "  %s\n", sanitize.Terminal(first))
	}
	if figures := reports.Figures(v.Metrics); len(figures) > 0 {
		fmt.Fprintf(w, "  %s\n", strings.Join(figures, "  "))
	}
	for _, reason := range v.Reasons {
		fmt.Fprintf(w, "  %s\n", reason)
	}
	for _, line := range v.NotExecuted {
		fmt.Fprintf(w, "  not executed: %s\n", line)
	}
	for _, claim := range v.Sometimes {
		if !claim.Seen {
			fmt.Fprintf(w, "  not seen in this run: sometimes %s: %s\n", claim.Claim, claim.Detail)
		}
	}
	fmt.Fprintf(w, "  results: %s\n", dir)
	if m, err := evidence.Read(dir); err == nil {
		printEvidence(w, m)
	}
	if v.Verdict != check.Pass && v.Verdict != scenarios.Skip {
		fmt.Fprintf(w, "  replay: %s\n", replay)
	}
}

// printEvidence lists the evidence files, and those that are missing with the reason.
func printEvidence(w io.Writer, m evidence.Manifest) {
	if len(m.Files) > 0 {
		fmt.Fprintf(w, "  evidence: %s\n", evidenceFiles(m))
	}
	for _, lack := range m.Missing {
		fmt.Fprintf(w, "  no %s of %s: %s\n", lack.Kind, cmp.Or(lack.Node, lack.Edge), lack.Why)
	}
}

// evidenceFiles lists the files with their sizes.
func evidenceFiles(m evidence.Manifest) string {
	files := make([]string, len(m.Files))
	for i, f := range m.Files {
		cut := ""
		if len(f.Cut) > 0 {
			cut = ", cut"
		}
		files[i] = fmt.Sprintf("%s (%s%s)", f.File, evidence.Size(f.Bytes), cut)
	}
	return strings.Join(files, ", ")
}

// commandLine quotes arguments for a shell.
func commandLine(args ...string) string {
	for i, arg := range args {
		if arg == "" || strings.ContainsFunc(arg, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_./=:,+@%", r))
		}) {
			args[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(args, " ")
}
