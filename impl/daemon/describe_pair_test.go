package daemon

import (
	"strings"
	"testing"
	"time"

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

// A dataplane that cannot be read raises an alarm if the node needs to read it, but not after a single failure.
func TestAlarmsOfADataplaneThatCannotBeRead(t *testing.T) {
	const why = "map gone"
	for name, tt := range map[string]struct {
		read  node.ReadStatus
		scrub node.ScrubStatus
		want  string
	}{
		"one that is read":      {node.ReadStatus{Failed: 9, Why: why}, node.ScrubStatus{Why: why}, ""},
		"a read that waits":     {node.ReadStatus{Due: true, Streak: 2, Why: why}, node.ScrubStatus{}, ""},
		"no read is due":        {node.ReadStatus{Streak: 3, Why: why}, node.ScrubStatus{}, ""},
		"one that is not read":  {node.ReadStatus{Due: true, Streak: 3, Why: why}, node.ScrubStatus{Streak: 9}, "the dataplane was not read 3 times in a row, and may hold flows that this node does not know: map gone"},
		"scrubs that fail":      {node.ReadStatus{}, node.ScrubStatus{Streak: 3, Why: why}, "the dataplane was not read 3 times in a row to look for damaged flows: map gone"},
		"scrubs that fail once": {node.ReadStatus{}, node.ScrubStatus{Streak: 1, Why: why}, ""},
	} {
		if got := strings.Join(readAlarms(tt.read, tt.scrub), "; "); got != tt.want {
			t.Errorf("%s: alarms %q, want %q", name, got, tt.want)
		}
	}
}

// An arbiter that does not answer raises an alarm before it is needed, and another once its node
// serves alone.
func TestAlarmsOfTheArbiter(t *testing.T) {
	const why = "the gateway 198.18.0.3 does not answer any more"
	for name, tt := range map[string]struct {
		status *node.ArbiterStatus
		want   string
	}{
		"none":                     {nil, ""},
		"a gateway that answers":   {&node.ArbiterStatus{Kind: "gateway", Answers: true}, ""},
		"a lost gateway":           {&node.ArbiterStatus{Kind: "gateway", Why: why}, "the arbiter: " + why},
		"alone without a gateway":  {&node.ArbiterStatus{Kind: "gateway", Policy: "keep-serving", Why: why, Alone: true, For: 9 * time.Second}, "this node has served for 9s without peer and gateway (keep-serving): " + why},
		"etcd that answers":        {&node.ArbiterStatus{Kind: "etcd", Answers: true}, ""},
		"lost etcd":                {&node.ArbiterStatus{Kind: "etcd", Policy: "fail-closed", Why: "refused"}, "the arbiter does not answer: refused; policy fail-closed"},
		"alone without etcd":       {&node.ArbiterStatus{Kind: "etcd", Policy: "keep-serving", Why: "refused", Alone: true, For: 9 * time.Second}, "this node has served for 9s without peer and arbiter (keep-serving): its peer may serve too; the arbiter: refused"},
		"alone, and etcd is there": {&node.ArbiterStatus{Kind: "etcd", Policy: "keep-serving", Answers: true, Alone: true, For: time.Second}, "this node has served for 1s without peer and arbiter (keep-serving): its peer may serve too; the arbiter: "},
	} {
		if got := strings.Join(arbiterAlarms(tt.status), "; "); got != tt.want {
			t.Errorf("%s: alarms %q, want %q", name, got, tt.want)
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
