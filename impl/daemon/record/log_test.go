package record

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
)

// TestWhatIsLogged: the level, and the attributes that have a value.
func TestWhatIsLogged(t *testing.T) {
	for _, c := range []struct {
		event       trace.Event
		want, lacks string
	}{
		{trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: "Backup", To: "Claiming", Reason: "no MASTER", Epoch: 3}},
			`level=INFO msg="role change" from=Backup to=Claiming reason="no MASTER" epoch=3`, "degraded"},
		{trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: "Backup", To: "Claiming", Degraded: true}}, `level=WARN msg="role change"`, "degraded=false"},
		{trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: "Backup", To: "Claiming", Degraded: true}}, "degraded=true", "refused"},
		{trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: "Master", To: "Master", Refused: "PeerReady"}}, `level=WARN msg="role change refused"`, "degraded"},
		{trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: "Master", To: "Master", Refused: "PeerReady"}}, "gate=PeerReady", "degraded"},
		{trace.Event{Kind: trace.KindBFD, BFD: &trace.BFD{Path: "sync", From: "Up", To: "Down"}}, `level=WARN msg="bfd session" path=sync from=Up to=Down`, "INFO"},
		{trace.Event{Kind: trace.KindBFD, BFD: &trace.BFD{Path: "sync", From: "Init", To: "Up"}}, `level=INFO msg="bfd session" path=sync from=Init to=Up`, "WARN"},
		{trace.Event{Kind: trace.KindSync, Sync: &trace.Sync{Phase: "live", Entries: 7}}, "level=INFO msg=sync phase=live entries=7", "total="},
		{trace.Event{Kind: trace.KindSync, Sync: &trace.Sync{Phase: "live"}}, "phase=live", "rate="},
		{trace.Event{Kind: trace.KindSync, Sync: &trace.Sync{Phase: "live"}}, "phase=live", "took="},
		{trace.Event{Kind: trace.KindSync, Sync: &trace.Sync{Phase: "live"}}, "phase=live", "digest="},
		{trace.Event{Kind: trace.KindSync, Sync: &trace.Sync{Phase: "live"}}, "phase=live", "why="},
		{trace.Event{Kind: trace.KindSync, Sync: &trace.Sync{Phase: "insync", Total: 9, Rate: 5, Took: trace.Dur(time.Second), Digest: "equal", Why: "asked"}},
			"total=9 rate=5 took=1s digest=equal why=asked", "WARN"},
		{trace.Event{Kind: trace.KindNote, Note: "seen"}, "level=INFO msg=note note=seen", "WARN"},
	} {
		var text bytes.Buffer
		r := New(Config{Node: "lb1", Observe: func(trace.Event) {}, Log: slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})})
		r.Event(c.event)
		r.Close(time.Minute)
		if got := text.String(); !strings.Contains(got, c.want) || strings.Contains(got, c.lacks) {
			t.Errorf("%+v:\n%s, want %q, and nothing of %q", c.event, got, c.want, c.lacks)
		}
	}
}
