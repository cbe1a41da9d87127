package netns

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// tracePipe is the capacity of the trace pipe in bytes: thousands of events, in case the
// reader is scheduled late. 1 MiB is the default of fs.pipe-max-size.
const tracePipe = 1 << 20

// processFiles are the descriptors of a process to be started.
type processFiles struct {
	child  []uintptr // 0 input, 1 output, 2 errors, 3 trace
	opened []int     // closed once the child has them
	trace  *os.File  // the reading end
}

func openFiles(cfg ProcessConfig) (_ *processFiles, err error) {
	f := &processFiles{}
	defer func() {
		if err != nil {
			f.closeChildEnds()
			f.closeTrace()
		}
	}()
	null, err := f.open(os.DevNull, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	log, err := f.open(cmp.Or(cfg.Log, os.DevNull), unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND)
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	f.child = []uintptr{null, log, log}
	if cfg.Trace == nil {
		return f, nil
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("trace pipe: %w", err)
	}
	f.opened = append(f.opened, ends[1])
	f.child = append(f.child, uintptr(ends[1]))
	// Without this (the user's pipe quota is used up) the default of 64 KiB remains, which
	// suffices.
	_, _ = unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, tracePipe)
	if err := unix.SetNonblock(ends[0], true); err != nil {
		unix.Close(ends[0])
		return nil, fmt.Errorf("trace pipe: %w", err)
	}
	f.trace = os.NewFile(uintptr(ends[0]), "trace")
	return f, nil
}

func (f *processFiles) open(path string, flags int) (uintptr, error) {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f.opened = append(f.opened, fd)
	return uintptr(fd), nil
}

func (f *processFiles) closeChildEnds() {
	for _, fd := range f.opened {
		unix.Close(fd)
	}
	f.opened = nil
}

func (f *processFiles) closeTrace() {
	if f.trace != nil {
		f.trace.Close()
	}
}

// pump passes the lines of a trace pipe to sink in order until the pipe ends, then closes
// drained. An unbounded queue separates the reading goroutine from the passing one: a slow
// sink must not fill the pipe and block the node.
func pump(pipe *os.File, host string, sink func(trace.Event), drained chan<- struct{}) {
	defer close(drained)
	defer pipe.Close()
	queue := newLineQueue()
	go func() {
		defer queue.close()
		r := bufio.NewReaderSize(pipe, 64<<10)
		for {
			line, err := r.ReadBytes('\n')
			if len(line) > 0 {
				queue.push(line)
			}
			if err == nil {
				continue
			}
			if !errors.Is(err, io.EOF) {
				queue.push([]byte("trace pipe: " + err.Error()))
			}
			return
		}
	}()
	for {
		lines, open := queue.take()
		for _, line := range lines {
			sink(parseEvent(line, host))
		}
		if !open {
			return
		}
	}
}

// parseEvent decodes a line of a trace. An invalid line becomes a note, so that the report
// shows it.
func parseEvent(line []byte, host string) trace.Event {
	var e trace.Event
	if err := json.Unmarshal(line, &e); err != nil {
		return trace.Event{At: hostclock.Now(), Node: host, Kind: trace.KindNote,
			Note: fmt.Sprintf("invalid trace line: %v: %.200q", err, line)}
	}
	if e.Node == "" {
		e.Node = host
	}
	return e
}

// lineQueue is an unbounded queue of lines.
type lineQueue struct {
	mu     sync.Mutex
	more   *sync.Cond
	lines  [][]byte
	closed bool
}

func newLineQueue() *lineQueue {
	q := &lineQueue{}
	q.more = sync.NewCond(&q.mu)
	return q
}

func (q *lineQueue) push(line []byte) {
	q.mu.Lock()
	q.lines = append(q.lines, line)
	q.mu.Unlock()
	q.more.Signal()
}

func (q *lineQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.more.Signal()
}

// take waits for lines and returns all that are queued; open is false once no more follow.
func (q *lineQueue) take() (lines [][]byte, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.lines) == 0 && !q.closed {
		q.more.Wait()
	}
	lines, q.lines = q.lines, nil
	return lines, !q.closed
}
