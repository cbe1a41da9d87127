package cause

import (
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
)

// What a node waited for is what its gates said last, told from when it was waited for.
func TestANodeThatStaysBackupIsToldWithItsLastReason(t *testing.T) {
	second := func(n int) clock.Instant { return clock.Instant(time.Duration(n) * time.Second) }
	gate := func(at int, why string) trace.Event {
		return trace.Event{At: second(at), Node: "lb2", Kind: trace.KindGate, Gate: &trace.Gate{Name: "NoMaster", Why: why}}
	}
	events := []trace.Event{
		{At: second(1), Node: "lb2", Kind: trace.KindRole, Role: &trace.Role{From: "Init", To: "Backup"}},
		gate(1, "peer is Backup and ranks above"),
		gate(2, "peer is Master"),
		gate(6, "peer is silent, but this node has not listened for long enough"),
		gate(9, "peer is Master"),
	}
	found, ok := waiting(events, Harm{Kind: Waiting, Node: "lb2", From: second(5), To: second(7)})
	if !ok || found.At != second(5) || !strings.HasSuffix(found.What, "lb2 stayed Backup with NoMaster closed (peer is silent, but this node has not listened for long enough)") {
		t.Errorf("%+v, %v", found, ok)
	}
}

// A subject that tells no gates has not claimed without them.
func TestOnlyWhoTellsItsGatesClaimsWithoutThem(t *testing.T) {
	events := []trace.Event{
		{Kind: trace.KindMeta, Meta: &trace.Meta{SUT: "keepalived"}},
		{At: 1, Node: "lb2", Kind: trace.KindRole, Role: &trace.Role{From: "Backup", To: "Claiming"}},
	}
	if found := ungated(events); len(found) != 1 {
		t.Errorf("who tells its gates: %+v", found)
	}
	events[0].Meta.Lacks = []string{"gates"}
	if found := ungated(events); len(found) != 0 {
		t.Errorf("who tells none: %+v", found)
	}
}
