package reports

import (
	"bufio"
	"cmp"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/reports/load"
	"baton/reports/model"
	"baton/reports/page"
	"baton/reports/timeline"
	"baton/scenarios/evidence"
	"baton/scenarios/stored"
)

// Limits of the log lines that a page shows: the number for each node, nearest to the focus, and
// their distance from it. The file has all lines.
const (
	logsOfNode = 15
	logsAround = 500 * time.Millisecond
	logMost    = 64 << 20 // maximum bytes read of a log
	logLine    = 64 << 10 // maximum bytes of a line
	logShown   = 300      // maximum characters shown of a line
)

// logs returns the log lines around the focus. Their wall clock times are converted to the trace's
// time axis by the offset of a capture, so without a capture there are none.
func logs(run *load.Run) (list []page.Said, problems []model.Problem) {
	i := slices.IndexFunc(run.Evidence.Files, func(f evidence.File) bool { return f.Kind == evidence.Capture && f.Offset != 0 })
	if i < 0 {
		return nil, nil
	}
	offset, start := run.Evidence.Files[i].Offset, timeline.Start(run.Events)
	for _, file := range run.Evidence.Files {
		if file.Kind != evidence.Log {
			continue
		}
		path := filepath.Join(run.Dir, filepath.Base(file.File))
		near, err := logNear(path, offset, run.Evidence.Focus)
		if err != nil {
			problems = append(problems, model.Problem{File: path, What: err.Error(), Kept: "the lines before"})
		}
		for _, line := range near {
			list = append(list, page.Said{At: timeline.At(line.at.Sub(start).Microseconds()), Node: file.Node, Text: line.text})
		}
	}
	slices.SortStableFunc(list, func(x, y page.Said) int { return cmp.Compare(x.At, y.At) })
	return list, problems
}

// logged is a line of a log that has a time.
type logged struct {
	at   clock.Instant
	text string
}

// logNear reads the lines of a log nearest to an instant, sorted by time.
func logNear(path string, offset int64, focus clock.Instant) ([]logged, error) {
	f, err := stored.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var near []logged
	lines := bufio.NewScanner(io.LimitReader(f, logMost))
	lines.Buffer(nil, logLine)
	for lines.Scan() {
		line, ok := timed(lines.Text(), offset)
		if ok && line.at.Sub(focus).Abs() <= logsAround {
			near = append(near, line)
		}
	}
	slices.SortStableFunc(near, func(x, y logged) int { return cmp.Compare(x.at.Sub(focus).Abs(), y.at.Sub(focus).Abs()) })
	near = near[:min(len(near), logsOfNode)]
	slices.SortStableFunc(near, func(x, y logged) int { return cmp.Compare(x.at, y.at) })
	return near, lines.Err()
}

// timed splits a line as slog writes it: time=… and the rest.
func timed(line string, offset int64) (logged, bool) {
	stamp, text, ok := strings.Cut(strings.TrimPrefix(line, "time="), " ")
	wall, err := time.Parse(time.RFC3339Nano, stamp)
	if !ok || err != nil || !strings.HasPrefix(line, "time=") {
		return logged{}, false
	}
	if shown := []rune(text); len(shown) > logShown {
		text = string(shown[:logShown]) + "…"
	}
	return logged{clock.Instant(wall.UnixNano() - offset), text}, true
}
