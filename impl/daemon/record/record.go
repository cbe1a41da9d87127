// Package record writes a node's trace as JSON lines and its log, and passes events to
// observers such as the metrics. All of it happens on one goroutine behind a bounded queue,
// because a full pipe must not block the loop. Records that find the queue full are dropped
// and counted, and the trace ends with a note of the number.
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

// queueLen is the capacity of the queue: some seconds of a busy node's records.
const queueLen = 8192

// entry is one queued record: an event, or a function write. A renewed lease comes with
// each heartbeat packet; it is stored here by value, not behind the event's pointer, so
// that its sender need not allocate.
type entry struct {
	event trace.Event
	lease trace.Lease
	write func()
}

// Config configures a recorder. Every part may be left out.
type Config struct {
	Node  string
	Log   slog.Handler
	Trace io.Writer
	// Observe is called on the recorder's goroutine. It must not keep a Lease.
	Observe func(trace.Event)
}

// Recorder queues records without blocking and writes them in order.
type Recorder struct {
	cfg     Config
	log     *slog.Logger // writes directly
	queue   chan entry
	dropped atomic.Uint64
	stop    sync.Once
	stopped chan struct{} // closed by Close: further records are ignored
	ended   chan struct{} // closed when everything is written

	unwritten uint64 // log lines that could not be written
	unlogged  error  // the error of the last of them

	lines   repeat.Filter // for notes in the log
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

// Event records an event of the trace, which is also logged and observed. The recorder owns
// what it points to, except a Lease, which it copies.
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

// Dropped returns the number of dropped records.
func (r *Recorder) Dropped() uint64 { return r.dropped.Load() }

// Close writes the queue, for at most the given time, and ends the recorder.
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

// finish writes the rest of the queue and the number of missing records.
func (r *Recorder) finish() {
	for len(r.queue) > 0 {
		next := <-r.queue
		r.write(&next)
	}
	if n := r.Dropped(); n > 0 {
		missed := trace.Missed{What: "trace events or log lines", Count: n, Why: "their reader is too slow"}
		r.writeTrace(&trace.Event{Node: r.cfg.Node, Kind: trace.KindMissed, Missed: &missed})
		r.log.Warn("records dropped", "missed", missed.String())
	}
	if r.unlogged != nil {
		r.writeTrace(&trace.Event{Node: r.cfg.Node, Kind: trace.KindNote, Note: fmt.Sprintf("%d log lines could not be written: %v", r.unwritten, r.unlogged)})
	}
	r.flush()
}

// write writes one record and does not keep it.
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

// writeTrace encodes one event. After a write error the trace ends, with one line in the
// log.
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

// handler passes log records to the recorder's goroutine.
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
