package node

import (
	"testing"
	"time"

	"baton/impl/ha"
)

// TestAStateIsReadAsItWasSentInEachVersion: without what that version does not have. A pair is upgraded a node at a time.
func TestAStateIsReadAsItWasSentInEachVersion(t *testing.T) {
	for version := VersionMin; version <= Version; version++ {
		sent := state{
			Role: ha.Master, Rank: ha.Rank{Able: true, Epoch: 7, Witnessed: 6, Complete: true, Flows: 5, Damped: true, Priority: 4, ID: "lb2"},
			Incarnation: 3, Detect: 100 * time.Millisecond, MACs: [serviceLinks]MAC{{2, 1}, {2, 2}}, Unread: true, Seq: 9, Seen: 8, Ask: true,
		}
		want := sent
		if version < versionKeepalive {
			want.Rank.Witnessed, want.Rank.Flows, want.Rank.Damped, want.Detect, want.Unread = 0, 0, false, 0, false
		}
		if version < versionRelay {
			want.MACs = [serviceLinks]MAC{}
		}
		if got, err := decodeState(sent.encode(byte(version))); err != nil || got != want {
			t.Errorf("version %d: read %+v, %v; want %+v", version, got, err, want)
		}
	}
}
