package evidence

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"baton/impl/clock"
	"baton/impl/trace"
)

func sec(s float64) clock.Instant { return clock.Instant(s * float64(time.Second)) }

// events returns those of a run whose first step is at 10 s: lb1 is crashed at 12 s and
// restored at 16 s, and a backend resets a client 0.1 s later.
func events(more ...trace.Event) []trace.Event {
	out := append([]trace.Event{
		{At: sec(9), Kind: trace.KindMeta, Meta: &trace.Meta{}},
		{At: sec(10), Kind: trace.KindStep, Step: &trace.Step{Phase: "begin"}},
		{At: sec(10.5), Node: "lb1", Kind: trace.KindRole, Role: &trace.Role{From: "Claiming", To: "Master", Reason: "no MASTER", Epoch: 1}},
		{At: sec(12), Kind: trace.KindFault, Fault: &trace.Fault{ID: 1, Verb: "crash", Target: "lb1", Hosts: []string{"lb1"}, Phase: "begin"}},
		{At: sec(12.1), Node: "lb2", Kind: trace.KindRole, Role: &trace.Role{From: "Claiming", To: "Master", Reason: "no MASTER", Epoch: 2}},
		{At: sec(16), Kind: trace.KindFault, Fault: &trace.Fault{ID: 2, Verb: "restore", Target: "lb1", Hosts: []string{"lb1"}, Phase: "begin"}},
		{At: sec(25), Kind: trace.KindTotals, Totals: &trace.Totals{}},
	}, more...)
	trace.Sort(out)
	return out
}

var reset = trace.Event{At: sec(16.1), Kind: trace.KindRST, RST: &trace.RST{Edge: "backends", Sender: "lb1", Origin: "backend1",
	LB: "lb1", Role: "Master", Entry: "adopted", Fault: "restore lb1"}}

// lostAt is the loss of a session.
func lostAt(s float64) trace.Event {
	return trace.Event{At: sec(s), Kind: trace.KindTraffic, Traffic: &trace.Traffic{Event: trace.TrafficLost}}
}

func TestTheWindowsSurroundWhatFailed(t *testing.T) {
	late := Span{From: sec(20), To: sec(21)}
	early := Span{From: sec(12), To: sec(12.2)}
	for _, tt := range []struct {
		name    string
		events  []trace.Event
		failed  []Span
		windows []Span
		focus   []clock.Instant
	}{
		{"one failure", events(), []Span{early}, []Span{{From: sec(10), To: sec(14.2)}}, []clock.Instant{sec(12)}},
		{"two that are far apart", events(), []Span{late, early}, []Span{{From: sec(10), To: sec(14.2)}, {From: sec(18), To: sec(23)}}, []clock.Instant{sec(12)}},
		{"two that overlap", events(), []Span{{From: sec(15), To: sec(15)}, early}, []Span{{From: sec(10), To: sec(17)}}, []clock.Instant{sec(12)}},
		{"damage draws the focus", events(reset), []Span{early}, []Span{{From: sec(10), To: sec(18.1)}}, []clock.Instant{reset.At}},
		{"each cluster of damage has a window, the largest is first", events(lostAt(12.5), reset, lostAt(16.2), lostAt(21)), nil,
			[]Span{{From: sec(10.5), To: sec(18.1)}, {From: sec(19), To: sec(23)}}, []clock.Instant{reset.At, sec(12.5), sec(21)}},
		{"nothing failed", events(), nil, []Span{{From: sec(9), To: sec(25)}}, []clock.Instant{sec(25)}},
		{"no events", nil, []Span{early}, nil, nil},
	} {
		a := NewAsk(tt.events, tt.failed, 1, "")
		if !slices.Equal(a.Windows, tt.windows) || !slices.Equal(a.Focus, tt.focus) {
			t.Errorf("%s: windows %v, focus %v; want %v, %v", tt.name, a.Windows, a.Focus, tt.windows, tt.focus)
		}
	}
}

func TestCommentsTellFaultsRolesAndTheEdgesResets(t *testing.T) {
	a := NewAsk(events(reset), []Span{{From: sec(14.05), To: sec(16)}}, 1, "")
	texts := func(edge string) (all []string) {
		for _, c := range a.Comments(edge) {
			all = append(all, c.Text)
		}
		return all
	}
	want := []string{
		"+2.100000s lb2 is Master (was Claiming): no MASTER, epoch 2",
		"+6.000000s restore lb1",
		"+6.100000s RST from backend1, forwarded by lb1; lb1 has role Master, entry adopted; last fault: restore lb1",
	}
	if diff := cmp.Diff(want, texts("backends")); diff != "" {
		t.Errorf("at the backends edge (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[:2], texts("clients")); diff != "" {
		t.Errorf("at the clients edge, where nobody saw the RST (-want +got):\n%s", diff)
	}
	if got, want := a.Before(), "at +2.050000s lb1 has role Master, lb2 none; last fault: crash lb1 at +2.000000s"; got != want {
		t.Errorf("before: %s; want %s", got, want)
	}
}

func TestLimitsAreParsedAsSizes(t *testing.T) {
	for text, want := range map[string]int64{"16MiB": 16 << 20, "512 KiB": 512 << 10, "1GB": 1e9, "1000000": 1e6, Size(DefaultLimit): DefaultLimit} {
		if got, err := ParseLimit(text); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1MiB", "1KiB", "0", "9999PiB", "16MiX"} {
		if got, err := ParseLimit(text); err == nil {
			t.Errorf("%q was taken for %d", text, got)
		}
	}
	if _, err := ParseKeep("some"); err == nil {
		t.Error("a policy that does not exist was accepted")
	}
}

func TestSharesNeverExceedTheLimit(t *testing.T) {
	for _, limit := range []int64{MinLimit, DefaultLimit, 1e9 + 7} {
		for captures := range 4 {
			table, log, capture := Shares(limit, captures)
			if sum := 2*table + 2*log + int64(captures)*capture; sum > limit || capture <= 0 || table <= 0 || log <= 0 {
				t.Errorf("%d over %d captures: %d, %d, %d come to %d", limit, captures, table, log, capture, sum)
			}
		}
	}
}

func TestAStoreTellsWhatItWasGiven(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder without a manifest: %v", err)
	}
	s := NewStore(dir)
	ask := NewAsk(events(reset), nil, 1<<20, "")
	c := Connections{Node: "lb1", At: sec(16.2), When: "the end", Total: 5, Flows: []Flow{
		{Original: "tcp b", Reply: "tcp c", State: "established", Origin: "synced", Remaining: time.Minute}, {Original: "tcp a"}}}
	if err := s.PutTable(c, ask); err != nil {
		t.Fatal(err)
	}
	s.Lack(Missing{Kind: Table, Node: "lb2", Why: "dead"})
	if err := s.Manifest(ask).Write(dir); err != nil {
		t.Fatal(err)
	}
	m, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, TableFile("lb1")))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(string(text), "\n"); lines[0] != "# connection table of lb1 at +6.200000s, the end: 5 entries" ||
		!strings.HasPrefix(lines[2], "tcp a") || !strings.Contains(lines[3], "synced") {
		t.Errorf("table:\n%s", text)
	}
	f := m.Files[0]
	if f.Bytes != int64(len(text)) || m.Bytes != f.Bytes || f.Count != 2 || len(f.Cut) != 1 || !strings.HasPrefix(f.Cut[0], "3 of 5 entries") {
		t.Errorf("manifest %+v", m)
	}
	if len(m.Missing) != 1 || m.Missing[0].Why != "dead" {
		t.Errorf("missing %+v", m.Missing)
	}
	if err := s.Put(File{File: "x"}, func(io.Writer) error { return io.ErrShortWrite }); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a write that failed: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ManifestFile), bytes.Repeat([]byte("x"), 10), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil {
		t.Error("a broken manifest was read")
	}
}
