package node

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/ha"
)

// TestWhichGrantIsTaken: only a BACKUP that hears its MASTER takes one, and none that the MASTER may have taken back.
func TestWhichGrantIsTaken(t *testing.T) {
	const now = clock.Instant(time.Second)
	for _, c := range []struct {
		name  string
		edit  func(*Node)
		taken bool
	}{
		{"a BACKUP", func(*Node) {}, true},
		{"a node that cannot serve", func(n *Node) { n.role = ha.Fault }, false},
		{"the peer is silent", func(n *Node) { n.now = now.Add(time.Second) }, false},
		{"the peer has not answered since a pause", func(n *Node) { n.peer.confirm = 1 }, false},
		{"of an earlier term", func(n *Node) { n.seen = 3 }, false},
	} {
		n := fullNode(t)
		n.now, n.role, n.seen = now, ha.Backup, 2
		n.peer.state.Detect = 100 * time.Millisecond
		n.stream = stream{up: true, spoken: true, version: versionKeepalive, heard: now}
		c.edit(n)
		if n.receiveGrant(grant{Epoch: 2}); n.grant.pending != c.taken {
			t.Errorf("%s: taken %v, want %v", c.name, n.grant.pending, c.taken)
		}
	}
}
