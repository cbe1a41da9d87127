package daemon

import (
	"testing"

	"baton/impl/node"
)

// An operator sees for as long as it lasts that a failure would cost sessions.
func TestAlarmsOfThePair(t *testing.T) {
	heard := node.PeerStatus{Heard: true}
	for name, tt := range map[string]struct {
		status node.Status
		alarms int
	}{
		"a pair in sync":                         {node.Status{Peer: heard, PairInSync: true}, 0},
		"a lone node":                            {node.Status{}, 0},
		"a peer that was never synced":           {node.Status{Peer: heard}, 1},
		"a lone node that is degraded":           {node.Status{Degraded: true}, 1},
		"degraded, and the peer lacks the table": {node.Status{Degraded: true, Peer: heard}, 2},
	} {
		if got := pairAlarms(tt.status); len(got) != tt.alarms {
			t.Errorf("%s: %d alarms, want %d: %v", name, len(got), tt.alarms, got)
		}
	}
}
