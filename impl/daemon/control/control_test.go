package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"baton/impl/daemon/config"
	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/node"
)

// fake is a Node with one flow.
type fake struct {
	status  Status
	refuse  error
	stopped chan struct{}
	hang    bool
}

var known = flow.Tuple{Src: flow.IPv4(198, 18, 0, 11), SrcPort: 40000, Dst: flow.IPv4(198, 18, 0, 100), DstPort: 80, Proto: flow.TCP}

func (f *fake) Status(ctx context.Context) (Status, error) {
	if f.hang {
		<-ctx.Done()
		return Status{}, ctx.Err()
	}
	return f.status, nil
}

func (f *fake) Handover(context.Context) error                                     { return f.refuse }
func (f *fake) Stop(context.Context) error                                         { close(f.stopped); return nil }
func (f *fake) Edit(context.Context, config.Edit) ([]string, error)                { return nil, nil }
func (f *fake) Drain(context.Context, string, netip.AddrPort, time.Duration) error { return nil }

func (f *fake) Ready(context.Context, string, netip.AddrPort) error { return nil }

func (f *fake) Reload(context.Context) ([]string, error) {
	return []string{"service web: backend 198.18.1.13:80 is new"}, f.refuse
}

func (f *fake) Break(_ context.Context, fault string) ([]string, error) {
	return []string{fault + ": seen"}, f.refuse
}
func (f *fake) Mend(context.Context) ([]string, error) { return []string{"mended"}, f.refuse }

func (f *fake) Entry(_ context.Context, t flow.Tuple) (Entry, error) {
	if t == known {
		return Entry{Origin: "synced", State: "established", Backend: "198.18.1.11:80"}, nil
	}
	return Entry{Origin: NoEntry}, nil
}

func (f *fake) Table(_ context.Context, limit int) (Table, error) {
	entries := []flow.Entry{{Original: known, Reply: known.Reverse(), State: flow.Established, Origin: flow.Synced, Remaining: time.Minute}}
	return TableFrom(entries[:min(limit, 1)], 1), nil
}

// serve starts a server and returns its path.
func serve(t testing.TB, dir string, n Node) string {
	t.Helper()
	path := filepath.Join(dir, "lb1.sock")
	s, err := Listen(path, n)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
	return path
}

func dial(t testing.TB, path string) *Client {
	t.Helper()
	c, err := Dial(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestCommands(t *testing.T) {
	f := &fake{stopped: make(chan struct{}), status: Status{
		Status:    node.Status{Node: "lb1", Role: "Master", Epoch: 7, Gates: []node.GateStatus{{Name: "InSync", Open: true, Why: "x"}}},
		Dataplane: CountersFrom(dataplane.Counters{Forwarded: [2]uint64{5, 6}, Dropped: [dataplane.DropKinds]uint64{dataplane.DropMiss: 3}}),
	}}
	c := dial(t, serve(t, t.TempDir(), f))
	ctx := context.Background()

	got, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.status, got); diff != "" {
		t.Errorf("Status (-want +got):\n%s", diff)
	}
	if got.Dataplane.Dropped["miss"] != 3 || got.Dataplane.ForwardedReply != 6 {
		t.Errorf("counters %+v", got.Dataplane)
	}
	if e, err := c.Entry(ctx, known); err != nil || e != (Entry{"synced", "established", "198.18.1.11:80"}) {
		t.Errorf("Entry of a known flow = %+v, %v", e, err)
	}
	if e, err := c.Entry(ctx, known.Reverse()); err != nil || e.Origin != NoEntry {
		t.Errorf("Entry of an unknown flow = %+v, %v", e, err)
	}
	flow := Flow{Original: known.String(), Reply: known.Reverse().String(), State: "established", Origin: "synced", Remaining: time.Minute}
	if table, err := c.Table(ctx, 10); err != nil || !cmp.Equal(table, Table{Total: 1, Flows: []Flow{flow}}) {
		t.Errorf("Table = %+v, %v", table, err)
	}
	if table, err := c.Table(ctx, 0); err != nil || table.Total != 1 || len(table.Flows) != 0 {
		t.Errorf("Table without entries = %+v, %v", table, err)
	}
	if _, err := c.Table(ctx, maxFlows+1); err == nil {
		t.Error("a table beyond the limit was answered")
	}
	if err := c.Handover(ctx); err != nil {
		t.Errorf("Handover = %v", err)
	}
	f.refuse = errors.New("peer is not in sync")
	var refused *Refused
	if err := c.Handover(ctx); !errors.As(err, &refused) || refused.Why != "peer is not in sync" {
		t.Errorf("refused Handover = %v", err)
	}
	if _, err := c.Reload(ctx); !errors.As(err, &refused) || refused.Why != "peer is not in sync" {
		t.Errorf("refused Reload = %v", err)
	}
	f.refuse = nil
	if changes, err := c.Reload(ctx); err != nil || len(changes) != 1 || changes[0] != "service web: backend 198.18.1.13:80 is new" {
		t.Errorf("Reload = %q, %v", changes, err)
	}
	if err := c.Stop(ctx); err != nil {
		t.Errorf("Stop = %v", err)
	}
	<-f.stopped
}

// TestTheProtocolIsLinesOfJSON pins the wire format, for clients written in shell.
func TestTheProtocolIsLinesOfJSON(t *testing.T) {
	path := serve(t, t.TempDir(), &fake{})
	for _, tt := range []struct{ send, want string }{
		{`{"command":"entry","tuple":"tcp 198.18.0.11:40000>198.18.0.100:80"}`, `{"entry":{"origin":"synced","state":"established","backend":"198.18.1.11:80"}}`},
		{`{"command":"entry","tuple":"tcp 198.18.0.11:1>198.18.0.100:80"}`, `{"entry":{"origin":"none"}}`},
		{`{"command":"handover"}`, `{}`},
		{`{"command":"reboot"}`, `{"error":"control: unknown command \"reboot\"; use status, handover, entry, table, reload, edit, drain, ready or stop"}`},
		{`{"command":"entry","tuple":"nonsense"}`, `{"error":"control: parse tuple \"nonsense\": no protocol; write it as tcp 198.18.0.11:40000\u003e198.18.0.100:80"}`},
		{`status`, `{"error":"control: request is not a JSON object: invalid character 's' looking for beginning of value"}`},
		{``, `{"error":"control: request is not a JSON object: unexpected end of JSON input"}`},
		{strings.Repeat("x", maxRequest+1), fmt.Sprintf(`{"error":"control: request is longer than %d bytes"}`, maxRequest)},
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s\n", tt.send)
		got, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || strings.TrimSpace(got) != tt.want {
			t.Errorf("%.60s\n got  %s %v\n want %s", tt.send, got, err, tt.want)
		}
		conn.Close()
	}
}

func TestALongPathWorks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100), strings.Repeat("e", 100))
	path := serve(t, dir, &fake{status: Status{Status: node.Status{Node: "lb1"}}})
	if len(path) <= maxPath {
		t.Fatalf("path of %d bytes is not long", len(path))
	}
	if s, err := dial(t, path).Status(context.Background()); err != nil || s.Node != "lb1" {
		t.Errorf("Status = %+v, %v", s, err)
	}
}

func TestASocketLeftBehindIsReplacedAndALiveOneIsNot(t *testing.T) {
	dir := t.TempDir()
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "lb1.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	path := serve(t, dir, &fake{})
	if _, err := Listen(path, &fake{}); err == nil || !strings.Contains(err.Error(), "another node answers") {
		t.Errorf("Listen on a live socket = %v", err)
	}
	dial(t, path)
}

// TestAFileOrASilentNodeKeepsThePath: only a socket without a listener is replaced.
func TestAFileOrASilentNodeKeepsThePath(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lb1.sock")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file, &fake{}); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("Listen on a file = %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("the file is %q, %v", text, err)
	}

	path := filepath.Join(t.TempDir(), "lb1.sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err := errors.Join(err, unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	dial(t, path) // the whole queue of a node that accepts nobody
	if _, err := Listen(path, &fake{}); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("Listen on the socket of a node that is stopped = %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("its socket is gone: %v", err)
	}
}

// TestAServerRemovesOnlyItsOwnSocket: by then another node may have the path.
func TestAServerRemovesOnlyItsOwnSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lb1.sock")
	first, err := Listen(path, &fake{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := Listen(path, &fake{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if first.Close(); !exists(path) {
		t.Error("the first node removed the socket of the second")
	}
	if second.Close(); exists(path) {
		t.Error("the second node left its socket")
	}
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

// TestADrainsDeadlineIsNotPast: the node refuses it, whoever asks.
func TestADrainsDeadlineIsNotPast(t *testing.T) {
	c := dial(t, serve(t, t.TempDir(), &fake{}))
	backend := netip.MustParseAddrPort("198.18.1.11:80")
	if err := c.Drain(t.Context(), "web", backend, 0); err != nil {
		t.Error(err)
	}
	if err := c.Drain(t.Context(), "web", backend, -time.Second); err == nil || !strings.Contains(err.Error(), "-1s is past") {
		t.Errorf("a drain until a second ago: %v", err)
	}
}

func TestTheSocketIsOnlyForItsOwner(t *testing.T) {
	info, err := os.Stat(serve(t, t.TempDir(), &fake{}))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	c := dial(t, serve(t, t.TempDir(), &fake{hang: true}))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Status = %v, want the deadline", err)
	}
}

func TestDialNamesThePathThatItWasGiven(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("d", 120)+".sock")
	_, err := Dial(context.Background(), path)
	if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "/proc") {
		t.Errorf("Dial = %v", err)
	}
}

func TestParseTuple(t *testing.T) {
	for _, s := range []string{known.String(), "udp 0.0.0.0:0>255.255.255.255:65535", "sctp [2001:db8::1]:5>[2001:db8::2]:10"} {
		got, err := ParseTuple(s)
		if err != nil || got.String() != s {
			t.Errorf("ParseTuple(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "tcp", "tcp ", "dccp 1.2.3.4:5>6.7.8.9:10", "tcp 1.2.3.4:5", "tcp 1.2.3.4:5>", "tcp 1.2.3.4:5>6.7.8.9",
		"tcp [::1]:5>6.7.8.9:10", "tcp 1.2.3.4:5>[::1]:10", "tcp 1.2.3.4:70000>6.7.8.9:10", "tcp [fe80::1%eth0]:5>[fe80::2]:10"} {
		if got, err := ParseTuple(s); err == nil {
			t.Errorf("ParseTuple(%q) = %v, want an error", s, got)
		}
	}
}

// FuzzAnswer: the answer to any request is one line of JSON.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"command":"status"}`))
	f.Add([]byte(`{"command":"entry","tuple":"tcp 1.2.3.4:5>6.7.8.9:10"}`))
	f.Add([]byte(`{"command":"handover"}`))
	f.Add([]byte(`[1]`))
	s := nodeAnswers{node: &fake{}}
	f.Fuzz(func(t *testing.T, line []byte) {
		var r request
		if json.Unmarshal(line, &r) == nil && r.Command == cmdStop {
			return // ends the fake
		}
		b, err := json.Marshal(s.answer(context.Background(), line))
		if err != nil || strings.Contains(string(b), "\n") {
			t.Errorf("answer %q, %v", b, err)
		}
	})
}

// BenchmarkEntry measures the cost of a client's request for one flow.
func BenchmarkEntry(b *testing.B) {
	c := dial(b, serve(b, b.TempDir(), &fake{}))
	for b.Loop() {
		if _, err := c.Entry(context.Background(), known); err != nil {
			b.Fatal(err)
		}
	}
}
