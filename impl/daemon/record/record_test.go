package record

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/trace"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func role(from, to string) trace.Event {
	return trace.Event{At: 5, Kind: trace.KindRole, Role: &trace.Role{From: from, To: to, Reason: "because", Epoch: 3, Gates: []string{"LinksUp"}}}
}

func TestEventsGoToTraceLogAndObserverInOrder(t *testing.T) {
	var out, log bytes.Buffer
	var observed []string
	r := New(Config{
		Node: "lb1", Trace: &out, Log: slog.NewTextHandler(&log, nil),
		Observe: func(e trace.Event) { observed = append(observed, e.Role.To) },
	})
	r.Event(role("Init", "Backup"))
	r.Logger().With("k", "v").Info("between")
	r.Event(role("Backup", "Claiming"))
	r.Close(patience)

	events, err := trace.Read(&out)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 2 || events[0].Role.To != "Backup" || events[1].Role.To != "Claiming" || events[0].Node != "lb1" {
		t.Errorf("trace %+v", events)
	}
	if strings.Join(observed, " ") != "Backup Claiming" {
		t.Errorf("observed %v", observed)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "to=Backup reason=because epoch=3 open=[LinksUp]") ||
		!strings.Contains(lines[1], "msg=between k=v") || !strings.Contains(lines[2], "to=Claiming") {
		t.Errorf("log:\n%s", log.String())
	}
}

// stuck is a writer that blocks until it is released.
type stuck struct {
	entered, release chan struct{}
	bytes.Buffer
}

func (s *stuck) Write(b []byte) (int, error) {
	select {
	case s.entered <- struct{}{}:
	default:
	}
	<-s.release
	return s.Buffer.Write(b)
}

func TestARepeatedNoteIsLoggedOnceAndTracedEachTime(t *testing.T) {
	var out, log bytes.Buffer
	r := New(Config{Node: "lb1", Trace: &out, Log: slog.NewTextHandler(&log, nil)})
	for range 5 {
		r.Event(trace.Event{Kind: trace.KindNote, Note: "sync stream reset"})
		r.Event(trace.Event{Kind: trace.KindNote, Note: "grant ignored"})
	}
	r.Close(patience)
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want 2:\n%s", n, log.String())
	}
	if events, err := trace.Read(&out); err != nil || len(events) != 10 {
		t.Errorf("%d events in the trace, want 10: %v", len(events), err)
	}
}

func TestAStuckReaderBlocksNobodyAndIsToldWhatItMissed(t *testing.T) {
	out := &stuck{entered: make(chan struct{}, 1), release: make(chan struct{})}
	r := New(Config{Node: "lb1", Trace: out})
	r.Event(role("Init", "Backup"))
	<-out.entered // from here on the goroutine is stuck
	for range queueLen + 10 {
		r.Event(role("Backup", "Claiming"))
	}
	if r.Dropped() != 10 {
		t.Errorf("%d dropped, want 10", r.Dropped())
	}
	close(out.release)
	r.Close(patience)
	events, err := trace.Read(&out.Buffer)
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1]
	if len(events) != queueLen+2 || last.Missed == nil || last.Missed.Count != 10 || last.Node != "lb1" {
		t.Errorf("%d events, the last %+v; want %d and what is missing", len(events), last, queueLen+2)
	}
}

// A log on a full disk is reported in the trace.
func TestLogLinesThatCannotBeWrittenAreTold(t *testing.T) {
	var out bytes.Buffer
	r := New(Config{Node: "lb1", Trace: &out, Log: slog.NewTextHandler(full{}, nil)})
	r.Logger().Info("one")
	r.Logger().Info("another")
	r.Close(patience)
	events, err := trace.Read(&out)
	if err != nil || len(events) != 1 || events[0].Note != "2 log lines could not be written: no space left on device" {
		t.Errorf("%+v, %v", events, err)
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, unix.ENOSPC }

func TestCloseGivesUpOnAStuckReader(t *testing.T) {
	out := &stuck{entered: make(chan struct{}, 1), release: make(chan struct{})}
	r := New(Config{Trace: out})
	r.Event(role("Init", "Backup"))
	<-out.entered
	r.Close(time.Millisecond)
	close(out.release)
	<-r.ended
	r.Event(role("Init", "Backup")) // after the end: ignored
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestATraceThatCannotBeWrittenEndsWithOneLogLine(t *testing.T) {
	var log bytes.Buffer
	r := New(Config{Trace: broken{}, Log: slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError})})
	for range 2000 {
		r.Event(role("Init", "Backup"))
	}
	r.Close(patience)
	if n := strings.Count(log.String(), "no space left"); n != 1 {
		t.Errorf("%d lines, want 1:\n%s", n, log.String())
	}
}

// BenchmarkEvent measures the cost of an event for the recording loop.
func BenchmarkEvent(b *testing.B) {
	r := New(Config{Node: "lb1"})
	e := role("Init", "Backup")
	b.ReportAllocs()
	for b.Loop() {
		r.Event(e)
	}
	r.Close(patience)
}
