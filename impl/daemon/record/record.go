// Package record writes what a node does: its trace as JSON lines, its log, and
// whatever else wants to hear of events, such as the metrics. All of it happens on
// one goroutine behind a bounded queue, because a pipe that nobody empties must
// not hold the loop that keeps the heartbeat. What finds the queue full is dropped
// and counted, and the trace ends with a note of how much.
package record

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"baton/impl/daemon/internal/repeat"
	"baton/impl/trace"
)

// queueLen is how many records may wait: some seconds of a node's busiest.
const queueLen = 8192

// entry is one record in the queue: an event, or else what write does. A renewed lease
// comes with each packet of the heartbeat and costs its sender no memory, so it is here
// and not behind the event's pointer.
type entry struct {
	event trace.Event
	lease trace.Lease
	write func()
}

// Config is where records go. Every part may be left out.
type Config struct {
	Node  string
	Log   slog.Handler
	Trace io.Writer
	// Observe is called on the recorder's goroutine; it holds on to no Lease.
	Observe func(trace.Event)
}

// Recorder takes records without blocking and writes them in order.
type Recorder struct {
	cfg     Config
	log     *slog.Logger // the writing end
	queue   chan entry
	dropped atomic.Uint64
	stop    sync.Once
	stopped chan struct{} // closed by Close: nothing more is taken
	ended   chan struct{} // closed when everything is written

	unwritten uint64 // log lines that could not be written
	unlogged  error  // why the last of them was not

	lines   repeat.Filter // of the notes in the log
	trace   *bufio.Writer
	encoder *json.Encoder
}

// New starts a recorder.
func New(cfg Config) *Recorder {
	if cfg.Log == nil {
		cfg.Log = slog.DiscardHandler
	}
	if cfg.Observe == nil {
		cfg.Observe = func(trace.Event) {}
	}
	r := &Recorder{
		cfg: cfg, log: slog.New(cfg.Log), queue: make(chan entry, queueLen),
		stopped: make(chan struct{}), ended: make(chan struct{}),
	}
	if cfg.Trace != nil {
		r.trace = bufio.NewWriterSize(cfg.Trace, 32<<10)
		r.encoder = json.NewEncoder(r.trace)
	}
	go r.run()
	return r
}

// Event records an event of the trace, which is also logged and observed. What it
// points to is the recorder's from here on, but for a Lease, of which it takes a copy.
func (r *Recorder) Event(e trace.Event) {
	if e.Node == "" {
		e.Node = r.cfg.Node
	}
	queued := entry{event: e}
	if e.Lease != nil {
		queued.lease = *e.Lease
	}
	r.put(&queued)
}

// Logger returns a logger whose lines are written by the recorder.
func (r *Recorder) Logger() *slog.Logger { return slog.New(handler{r, r.cfg.Log}) }

// Dropped returns how many records found the queue full.
func (r *Recorder) Dropped() uint64 { return r.dropped.Load() }

// Close writes what is queued, for at most the given time, and ends the recorder.
func (r *Recorder) Close(limit time.Duration) {
	r.stop.Do(func() { close(r.stopped) })
	select {
	case <-r.ended:
	case <-time.After(limit):
	}
}

func (r *Recorder) put(e *entry) {
	select {
	case <-r.stopped:
		return
	default:
	}
	select {
	case r.queue <- *e:
	default:
		r.dropped.Add(1)
	}
}

func (r *Recorder) run() {
	defer close(r.ended)
	var next entry
	for {
		select {
		case next = <-r.queue:
			r.write(&next)
		case <-r.stopped:
			r.finish()
			return
		}
		if len(r.queue) == 0 {
			r.flush()
		}
	}
}

// finish writes what is left, and how much is missing.
func (r *Recorder) finish() {
	for len(r.queue) > 0 {
		next := <-r.queue
		r.write(&next)
	}
	if n := r.Dropped(); n > 0 {
		missed := trace.Missed{What: "trace events or log lines", Count: n, Why: "their reader is too slow"}
		r.writeTrace(&trace.Event{Node: r.cfg.Node, Kind: trace.KindMissed, Missed: &missed})
		r.log.Warn("records are missing", "missed", missed.String())
	}
	if r.unlogged != nil {
		r.writeTrace(&trace.Event{Node: r.cfg.Node, Kind: trace.KindNote, Note: fmt.Sprintf("%d log lines could not be written: %v", r.unwritten, r.unlogged)})
	}
	r.flush()
}

// write writes one record. Nobody holds on to it.
func (r *Recorder) write(e *entry) {
	if e.write != nil {
		e.write()
		return
	}
	if e.event.Lease != nil {
		e.event.Lease = &e.lease
	}
	r.writeTrace(&e.event)
	r.logEvent(&e.event)
	r.cfg.Observe(e.event)
}

// writeTrace encodes one event. A trace that cannot be written ends there, with one
// line in the log.
func (r *Recorder) writeTrace(e *trace.Event) {
	if r.encoder == nil {
		return
	}
	if err := r.encoder.Encode(e); err != nil {
		r.giveUp(err)
	}
}

func (r *Recorder) flush() {
	if r.trace == nil {
		return
	}
	if err := r.trace.Flush(); err != nil {
		r.giveUp(err)
	}
}

func (r *Recorder) giveUp(err error) {
	r.trace, r.encoder = nil, nil
	r.log.Error("trace ends here: it cannot be written", "error", err)
}

// handler hands log records to the recorder's goroutine.
type handler struct {
	r  *Recorder
	to slog.Handler
}

// Enabled implements slog.Handler.
func (h handler) Enabled(ctx context.Context, l slog.Level) bool { return h.to.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, record slog.Record) error {
	record = record.Clone()
	h.r.put(&entry{write: func() {
		if err := h.to.Handle(context.WithoutCancel(ctx), record); err != nil {
			h.r.unwritten++
			h.r.unlogged = err
		}
	}})
	return nil
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.r, h.to.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.r, h.to.WithGroup(name)} }
