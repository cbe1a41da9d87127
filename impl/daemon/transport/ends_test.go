package transport

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/impl/daemon/pki"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// recorder is a Handler that remembers.
type recorder struct {
	mu       sync.Mutex
	events   []string
	protocol string
	change   chan struct{}
}

func newRecorder() *recorder { return &recorder{change: make(chan struct{}, 1)} }

func (r *recorder) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf(format, args...))
	select {
	case r.change <- struct{}{}:
	default:
	}
}

func (r *recorder) StreamUp(id uint64, protocol string) {
	r.mu.Lock()
	r.protocol = protocol
	r.mu.Unlock()
	r.add("up %d", id)
}

// agreed is the protocol of the last stream.
func (r *recorder) agreed() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.protocol
}

func (r *recorder) StreamDown(id uint64, why string) { r.add("down %d: %s", id, why) }
func (r *recorder) StreamFrame(id uint64, p []byte)  { r.add("frame %d: %s", id, p) }
func (r *recorder) has(prefix string) bool           { return r.count(prefix) > 0 }
func (r *recorder) wait(t testing.TB, prefix string) { r.waitFor(t, prefix, 1) }
func (r *recorder) String() string                   { return strings.Join(r.list(), "; ") }
func (r *recorder) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}
func (r *recorder) count(prefix string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if strings.HasPrefix(e, prefix) {
			n++
		}
	}
	return n
}

func (r *recorder) waitFor(t testing.TB, prefix string, n int) {
	t.Helper()
	deadline := time.After(patience)
	for r.count(prefix) < n {
		select {
		case <-r.change:
		case <-deadline:
			t.Fatalf("no %q (%d times) within %v; got: %s", prefix, n, patience, r)
		}
	}
}

// log collects what a transport logs.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
	new chan struct{}
}

func newLog() *log { return &log{new: make(chan struct{}, 1)} }

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.new <- struct{}{}:
	default:
	}
	return l.buf.Write(b)
}

func (l *log) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.String() }

// refuses waits until an end has logged why it has no stream, and fails if it gets one.
func (e *end) refuses(t *testing.T, why string) {
	t.Helper()
	deadline := time.After(patience)
	for !strings.Contains(e.log.String(), why) {
		select {
		case <-e.log.new:
		case <-e.change:
			if e.has("up") {
				t.Fatalf("a stream came up: %s", e)
			}
		case <-deadline:
			t.Fatalf("no %q in the log within %v:\n%s", why, patience, e.log)
		}
	}
}

// certificates are the folders of one authority's certificates.
func certificates(t testing.TB, ids ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := pki.Init(dir, ids...); err != nil {
		t.Fatal(err)
	}
	return dir
}

func identity(t testing.TB, dir, id string) *pki.Identity {
	t.Helper()
	identity, err := pki.Load(pki.FilesIn(dir, id), id)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// freePort returns a loopback address with a port that is free now.
func freePort(t testing.TB, host string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

// end is one end of a pair under test.
type end struct {
	*Transport
	*recorder
	log  *log
	stop func()
}

func start(t testing.TB, cfg Config) *end {
	t.Helper()
	e := &end{recorder: newRecorder(), log: newLog()}
	cfg.Log = slog.New(slog.NewTextHandler(e.log, nil))
	cfg.Retry = 5 * time.Millisecond
	tr, err := New(cfg, e.recorder)
	if err != nil {
		t.Fatal(err)
	}
	e.Transport, e.stop = tr, run(t, tr)
	return e
}

// run runs a transport until the test has ended or calls stop.
func run(t testing.TB, tr *Transport) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); tr.Run(ctx) }()
	stop = func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("Run did not return after its context was done")
		}
	}
	t.Cleanup(stop)
	return stop
}

// ends of a pair: lb1 dials from 127.0.0.1, lb2 listens on 127.0.0.2.
func configs(t testing.TB) (dialler, listener Config) {
	t.Helper()
	dir := certificates(t, "lb1", "lb2")
	one, two := freePort(t, "127.0.0.1"), freePort(t, "127.0.0.2")
	return Config{ID: "lb1", Peer: "lb2", Local: one, Remote: two, Protocols: spoken, TLS: identity(t, dir, "lb1").Peer("lb2")},
		Config{ID: "lb2", Peer: "lb1", Local: two, Remote: one, Protocols: spoken, TLS: identity(t, dir, "lb2").Peer("lb1")}
}

// spoken are the protocols of the ends in most tests.
var spoken = []string{"sync/1"}
