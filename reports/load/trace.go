package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"baton/impl/trace"
	"baton/reports/model"
	"baton/scenarios/stored"
)

// Limits on the cost of damaged or hostile files.
const (
	lineMost     = 1 << 20 // bytes of one event
	traceMost    = 1 << 30 // bytes of a trace
	scenarioMost = 1 << 20 // bytes of a scenario
	resultMost   = 1 << 26 // bytes of a result
	problemsMost = 10      // problems of one file that are reported one by one
	eventsMost   = 1 << 16 // events for which memory is reserved at once
	eventLen     = 120     // bytes of a short event
)

// traceReader reads a trace line by line and records the unusable lines.
type traceReader struct {
	file     string
	decoder  *trace.Decoder
	events   []trace.Event
	meta     *trace.Meta
	lost     int // number of lines that are not in events
	problems []model.Problem
}

// readTrace reads the trace of a run. Runs read by one goroutine may share a decoder.
func readTrace(file string, decoder *trace.Decoder) *traceReader {
	r := &traceReader{file: file, decoder: decoder}
	f, err := stored.Open(file)
	if err != nil {
		r.problems = append(r.problems, problem(file, reason(err), "what the run's result says"))
		return r
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		r.events = make([]trace.Event, 0, min(info.Size()/eventLen, eventsMost))
	}
	r.read(io.LimitReader(f, traceMost))
	if info, err := f.Stat(); err == nil && info.Size() > traceMost {
		r.lose(0, fmt.Sprintf("has %d bytes, of which the first %d are read", info.Size(), traceMost))
	}
	if r.lost > problemsMost {
		r.problems = append(r.problems, problem(file, fmt.Sprintf("%d more lines cannot be used", r.lost-problemsMost), "the other events"))
	}
	if r.meta == nil && len(r.events) > 0 {
		r.problems = append(r.problems, problem(file, "no event says what ran (kind meta)", "its events"))
	}
	if len(r.events) == 0 && r.lost == 0 {
		r.problems = append(r.problems, problem(file, "holds no event", "what the run's result says"))
	}
	return r
}

func (r *traceReader) read(f io.Reader) {
	lines := bufio.NewReaderSize(f, 64<<10)
	for n := 1; ; n++ {
		line, whole, err := nextLine(lines)
		switch {
		case !whole:
			r.lose(n, fmt.Sprintf("longer than the %d bytes of the longest event", lineMost))
		case len(bytes.TrimSpace(line)) > 0:
			r.line(n, line, errors.Is(err, io.EOF))
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.lose(n, reason(err))
			}
			return
		}
	}
}

// nextLine returns the next line without its newline. It is not whole if it is longer than an event
// may be; the rest of it is skipped.
func nextLine(lines *bufio.Reader) (line []byte, whole bool, err error) {
	line, err = lines.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return bytes.TrimSuffix(line, []byte("\n")), true, err
	}
	long := bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = lines.ReadSlice('\n')
		if len(long) <= lineMost {
			long = append(long, line...)
		}
	}
	return bytes.TrimSuffix(long, []byte("\n")), len(long) <= lineMost, err
}

// line parses one event. last says that no newline ends the line.
func (r *traceReader) line(n int, line []byte, last bool) {
	if n == 1 {
		line = bytes.TrimPrefix(line, []byte("\ufeff")) // some editors write a byte order mark
	}
	e, err := r.decoder.Decode(line)
	switch {
	case err != nil && last:
		r.lose(n, "the trace ends in the middle of an event: it was cut off")
		return
	case err != nil:
		r.lose(n, "no event: "+err.Error())
		return
	case e.Meta != nil && r.meta != nil && (e.Meta.Version != r.meta.Version || e.Meta.Scenario != r.meta.Scenario || e.Meta.World != r.meta.World):
		r.lose(n, fmt.Sprintf("says again what ran, and something else: %s in %s, version %d, after %s in %s, version %d",
			e.Meta.Scenario, e.Meta.World, e.Meta.Version, r.meta.Scenario, r.meta.World, r.meta.Version))
		return
	case e.Meta != nil && r.meta != nil:
		r.lose(n, "says again what ran: the file holds two traces, or one twice")
		return
	case e.Meta != nil:
		r.meta = e.Meta
	}
	r.events = append(r.events, e)
}

func (r *traceReader) lose(n int, what string) {
	if r.lost++; r.lost <= problemsMost {
		r.problems = append(r.problems, model.Problem{File: r.file, Line: n, What: what, Kept: "the other events"})
	}
}

// reason returns a file system error without the path, which the problem names already.
func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
