package reports

import (
	"strings"

	"baton/reports/load"
	"baton/reports/page"
	"baton/reports/timeline"
)

// script returns the lines of a run's scenario, with the time at which each step began.
func script(run *load.Run) []page.Line {
	if run.Plan == nil {
		return nil
	}
	var lines []page.Line
	for text := range strings.Lines(run.Source) {
		lines = append(lines, page.Line{Text: strings.TrimRight(text, "\r\n")})
	}
	start := timeline.Start(run.Events)
	for _, e := range run.Events {
		if e.Step == nil || e.Step.Phase != "begin" || e.Step.Index < 0 || e.Step.Index >= len(run.Plan.Steps) {
			continue
		}
		if n := run.Plan.Steps[e.Step.Index].Pos.Line; n >= 1 && n <= len(lines) && lines[n-1].Began == nil {
			began := timeline.At(e.At.Sub(start).Microseconds())
			lines[n-1].Began = &began
		}
	}
	return lines
}
