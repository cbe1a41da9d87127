package daemon

import (
	"strings"
	"testing"

	"baton/impl/bfd"
	"baton/impl/daemon/control"
	"baton/impl/node"
)

// An operator sees that a failure would cost sessions, for as long as that lasts.
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
		"tracked hosts that answer":              {node.Status{Gates: []node.GateStatus{{Name: "Reachable", Open: true}}}, 0},
		"a tracked host that is lost":            {node.Status{Gates: []node.GateStatus{{Name: "Reachable"}}}, 1},
	} {
		if got := pairAlarms(tt.status); len(got) != tt.alarms {
			t.Errorf("%s: %d alarms, want %d: %v", name, len(got), tt.alarms, got)
		}
	}
}

// A path that is down while the peer is alive raises an alarm; the secret is only blamed if
// packets were rejected since the last accepted one.
func TestAlarmsOfAPath(t *testing.T) {
	filtered := bfd.Stats{Received: 7}
	filtered.Drops[bfd.DropAuthDigest], filtered.RefusedFor = 4, bfd.DropAuthDigest // before the last accepted packet
	refused := filtered
	refused.Refused = 2
	for name, tt := range map[string]struct {
		state string
		stats bfd.Stats
		heard bool
		want  string
	}{
		"up":                             {"Up", filtered, true, ""},
		"up, with forgeries between":     {"Up", refused, true, ""},
		"down, the peer is silent":       {"Down", filtered, false, ""},
		"down, the peer is heard":        {"Down", filtered, true, "UDP port 3784"},
		"down, and its packets refused":  {"Down", refused, true, "the last 2 packets were refused (auth_digest)"},
		"the same, and no stream either": {"Init", refused, false, "bfd.secret"},
	} {
		s := node.Status{Paths: []node.PathStatus{{Name: "sync", State: tt.state, Stats: tt.stats}}, Peer: node.PeerStatus{Heard: tt.heard}}
		got := strings.Join(pathAlarms(s), "; ")
		if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: alarms %q, want %q", name, got, tt.want)
		}
	}
}

func everyPathUp(s control.Status) bool {
	for _, p := range s.Paths {
		if p.State != bfd.Up.String() {
			return false
		}
	}
	return true
}
