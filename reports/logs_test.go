package reports

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/reports/load"
	"baton/scenarios/evidence"
)

// A log shows its lines nearest to the failure, with the trace's times.
func TestLogLinesAroundTheMomentAreShown(t *testing.T) {
	dir := t.TempDir()
	began := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	var log strings.Builder
	log.WriteString("=== process 1 of lb1\nno time=here\n")
	for i := range 100 {
		fmt.Fprintf(&log, "time=%s level=INFO msg=\"line %d\"\n", began.Add(time.Duration(i)*20*time.Millisecond).Format("2006-01-02T15:04:05.000Z07:00"), i)
	}
	if err := os.WriteFile(filepath.Join(dir, "log-lb1.txt"), []byte(log.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	const first = clock.Instant(5 * time.Second) // of the trace, at the log's first line
	run := &load.Run{Dir: dir, Events: []trace.Event{{At: first, Kind: trace.KindStep, Step: &trace.Step{Phase: "begin"}}},
		Evidence: evidence.Manifest{Focus: first.Add(time.Second), Files: []evidence.File{
			{Kind: evidence.Capture, Offset: began.UnixNano() - int64(first)}, {Kind: evidence.Log, Node: "lb1", File: "../../log-lb1.txt"}}}}
	list, problems := logs(run)
	if len(problems) > 0 || len(list) != logsOfNode {
		t.Fatalf("%d lines, %v", len(list), problems)
	}
	if middle := list[logsOfNode/2]; middle.At.Duration() != time.Second || middle.Text != `level=INFO msg="line 50"` || middle.Node != "lb1" {
		t.Errorf("%+v", middle)
	}
	run.Evidence.Files[0].Offset = 0
	if list, _ := logs(run); len(list) != 0 {
		t.Errorf("without a capture nothing tells the time: %+v", list)
	}
	run.Evidence.Files[0].Offset = 1
	run.Evidence.Files[1].File = "gone.txt"
	if _, problems := logs(run); len(problems) != 1 {
		t.Errorf("a log that is gone: %v", problems)
	}
}
