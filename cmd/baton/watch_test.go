package main

import (
	"strings"
	"testing"
	"time"

	"baton/impl/ctsync"
	"baton/impl/daemon/control"
	"baton/impl/node"
)

// The view shows a blocking gate and since when it blocks. A gate that does not affect the node's
// present role is left out.
func TestWatchShowsWhatBlocks(t *testing.T) {
	gates := []node.GateStatus{
		{Name: "LinksUp", Open: true, Why: "carrier"},
		{Name: "Granted", Why: "nothing was granted"},
		{Name: "InSync", Why: "the table differs", For: 2300 * time.Millisecond},
		{Name: "PeerReady", Why: "peer lacks entries", For: 7 * time.Second},
	}
	for role, want := range map[string]string{
		"Backup": "gate InSync  closed for 2.3s: the table differs",
		"Master": "gate PeerReady closed for 7s: peer lacks entries",
	} {
		var b strings.Builder
		if err := printWatch(&b, control.Status{Status: node.Status{
			Node: "lb1", Role: role, Epoch: 4, Lease: 120 * time.Millisecond, Gates: gates,
			Peer: node.PeerStatus{Node: "lb2", Role: "Master", Epoch: 4},
			Sync: ctsync.Progress{Phase: "snapshot", Percent: 50, Entries: 500, Total: 1000, Rate: 90, Lag: 3, Digest: "unequal"},
		}}); err != nil {
			t.Fatal(err)
		}
		squeezed := strings.Join(strings.Fields(b.String()), " ")
		for _, part := range []string{strings.Join(strings.Fields(want), " "), "sync snapshot [##########----------] 500 of 1000 entries, 90 entries/s, lag 3", "digest unequal"} {
			if !strings.Contains(squeezed, part) {
				t.Errorf("%s: no %q in\n%s", role, part, b.String())
			}
		}
		if got := strings.Count(squeezed, "gate "); got != 1 {
			t.Errorf("%s: %d gates are shown, want the one that blocks:\n%s", role, got, b.String())
		}
	}
}
