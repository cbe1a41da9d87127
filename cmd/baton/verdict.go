package main

import (
	"fmt"
	"io"
	"strings"

	"baton/reports"
	"baton/scenarios/check"
)

// printVerdict prints what a run came to: one line of figures, the reasons if it
// did not pass, and where the evidence lies.
func printVerdict(w io.Writer, v check.Verdict, dir string) {
	fmt.Fprintf(w, "%-12s  %s\n", v.Verdict, v.Scenario)
	if figures := reports.Figures(v.Metrics); len(figures) > 0 {
		fmt.Fprintf(w, "  %s\n", strings.Join(figures, "  "))
	}
	for _, reason := range v.Reasons {
		fmt.Fprintf(w, "  %s\n", reason)
	}
	fmt.Fprintf(w, "  results: %s\n", dir)
}
