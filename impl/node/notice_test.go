package node

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ha"
)

// TestHowLongAClaimIsSignalled: none to a peer that speaks on the stream, a moment to one that has just fallen silent, and a whole
// detection time by the configured intervals to one that may be lonely by now, or may no longer hear this node.
func TestHowLongAClaimIsSignalled(t *testing.T) {
	const now, detect = clock.Instant(10 * time.Second), 150 * time.Millisecond
	hears := func(n *Node) {
		n.paths[0] = heardPath(t, now, &n.stream, bfd.Packet{State: bfd.Down})
		n.paths[0].BFD = n.cfg.Paths[0].BFD
	}
	readLate := func(n *Node, late time.Duration) {
		n.silence, n.paths[0] = now, heardPath(t, now.Add(-time.Second), &n.stream, bfd.Packet{State: bfd.Down})
		n.paths[0].BFD, n.paths[0].came = n.cfg.Paths[0].BFD, now.Add(-time.Second-late)
		n.paths[0].advance(now)
	}
	for _, test := range []struct {
		name string
		edit func(*Node)
		want time.Duration
	}{
		{"silent from this instant on", func(n *Node) { n.silence = now }, noticeTime},
		{"silent for longer", func(n *Node) { n.silence = now - 1 }, detect},
		{"silent from this instant on, and its last packet was read in time", func(n *Node) { readLate(n, 15*time.Millisecond) }, noticeTime},
		{"silent from this instant on, and its last packet was read late", func(n *Node) { readLate(n, 16*time.Millisecond) }, detect},
		{"silent for longer, gates off", func(n *Node) { n.silence, n.cfg.GatesOff = now-1, true }, noticeTime},
		{"silent from this instant on, heard on the stream last", func(n *Node) {
			n.silence, n.paths[0].came = now, now.Add(-time.Second)
			n.stream.heard, n.peer.state.Detect = now.Add(-100*time.Millisecond), 100*time.Millisecond
		}, 15 * time.Millisecond},
		{"silent from this instant on, as after a crash", func(n *Node) {
			n.silence, n.paths[0].came = now, now.Add(-detect)
			n.stream.heard, n.peer.state.Detect = now.Add(-100*time.Millisecond), 100*time.Millisecond
		}, noticeTime},
		{"silent from this instant on, heard on the stream last, gates off", func(n *Node) {
			n.silence, n.paths[0].came, n.cfg.GatesOff = now, now.Add(-time.Second), true
			n.stream.heard, n.peer.state.Detect = now.Add(-100*time.Millisecond), 100*time.Millisecond
		}, noticeTime},
		{"silent for longer, while the end of its stream lingers", func(n *Node) { n.silence, n.stream.lingers = now-1, now+1 }, noticeTime},
		{"heard, at the turn of a standoff", func(n *Node) { hears(n); n.standoff.since = 0 }, detect},
		{"heard, at the turn of a standoff, gates off", func(n *Node) { hears(n); n.standoff.since, n.cfg.GatesOff = 0, true }, noticeTime},
		{"heard, before the turn", func(n *Node) { hears(n); n.standoff.since = now - 1 }, noticeTime},
		{"heard, and may take this node for unable", func(n *Node) { hears(n); n.saidUnable = now + 1 }, detect},
		{"heard, and takes this node for unable no longer", func(n *Node) { hears(n); n.saidUnable = now }, noticeTime},
		{"silent from this instant on, and may take this node for unable", func(n *Node) { n.silence, n.saidUnable = now, now+1 }, detect},
		{"silent from this instant on, may take this node for unable, and served", func(n *Node) { n.silence, n.saidUnable, n.peer.state.Role = now, now+1, ha.Master }, noticeTime},
		{"silent from this instant on, and may take this node for unable, gates off", func(n *Node) { n.silence, n.saidUnable, n.cfg.GatesOff = now, now+1, true }, noticeTime},
		{"speaks on the stream", func(n *Node) {
			n.standoff.since, n.peer.known = 0, true
			n.stream = stream{up: true, spoken: true, version: versionKeepalive, heard: now}
			n.peer.state.Detect = detect
		}, 0},
	} {
		n := fullNode(t)
		n.now = now
		test.edit(n)
		if got := n.notice(); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
