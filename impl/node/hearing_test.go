package node

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ha"
)

// TestWhatAPeerSaysByBFD: a node that knows only version 1 of the protocol sends no condition, so its diagnostic counts
// once it has been another than none.
func TestWhatAPeerSaysByBFD(t *testing.T) {
	const now = clock.Instant(1)
	for _, test := range []struct {
		name    string
		version uint8
		said    []condition
		want    condition
	}{
		{"version 1, none so far", 1, []condition{serving}, unknown},
		{"version 1, it stands by", 1, []condition{standby}, standby},
		{"version 1, it cannot serve", 1, []condition{unable}, unable},
		{"version 1, it serves after it stood by", 1, []condition{standby, serving}, serving},
		{"version 1, it serves after it could not", 1, []condition{unable, serving}, serving},
		{"version 2, it serves", versionKeepalive, []condition{serving}, serving},
		{"no stream so far, it serves", 0, []condition{serving}, serving},
	} {
		n := fullNode(t)
		n.now, n.stream = now, stream{up: true, version: test.version}
		var heard hearing
		packets := []bfd.Packet{{State: bfd.Down}}
		for _, said := range test.said {
			packets = append(packets, bfd.Packet{State: bfd.Up, Diag: diagOf[said]})
			n.paths = paths{heardPath(t, now, &n.stream, packets...)}
			heard = n.hear()
		}
		if heard.condition != test.want {
			t.Errorf("%s: %v, want %v", test.name, heard.condition, test.want)
		}
	}
}

// TestAGrantExcusesAPeerUntilItHasStopped: a peer that gives the role may be heard as serving for a moment. If it serves again
// after it was heard to have stopped, it does not hear this node.
func TestAGrantExcusesAPeerUntilItHasStopped(t *testing.T) {
	const now = clock.Instant(1)
	for said, stops := range map[condition]bool{serving: false, standby: true, unable: true} {
		n := fullNode(t)
		n.now, n.role, n.events = now, ha.Master, nil
		n.rival = rival{since: clock.Never, both: clock.Never, granted: now}
		n.paths = paths{heardPath(t, now, &n.stream, bfd.Packet{State: bfd.Down, Diag: diagOf[standby]}, bfd.Packet{State: bfd.Down, Diag: diagOf[said]})}
		n.hear()
		n.paths[0] = heardPath(t, now, &n.stream, bfd.Packet{State: bfd.Down, Diag: diagOf[serving]})
		n.paths[0].calm = true
		heard := n.hear()
		n.checkRival(&heard)
		if got := len(n.events) > 0 && n.events[0] == ha.Unheard; got != stops {
			t.Errorf("heard as %d, then as serving: this node stops %v, want %v", said, got, stops)
		}
	}
}

// TestWhatThePeersLastWordOnTheStreamTells: on a path that is not heard the peer begins to serve if its last word on a stream that is live, or
// has just ended, was that it does not.
func TestWhatThePeersLastWordOnTheStreamTells(t *testing.T) {
	const now = clock.Instant(time.Second)
	live := func(n *Node) { n.peer.known, n.stream.up, n.stream.spoken, n.stream.heard = true, true, true, now }
	lingering := func(n *Node) { n.stream.lingers = now + 1 }
	for _, c := range []struct {
		name   string
		role   ha.Role
		stream func(*Node)
		calm   bool
	}{
		{"a BACKUP on a live stream", ha.Backup, live, true},
		{"a MASTER on a live stream", ha.Master, live, false},
		{"a BACKUP on a stream that has just ended", ha.Backup, lingering, true},
		{"a MASTER on a stream that has just ended", ha.Master, lingering, false},
		{"a BACKUP on a stream that ended long ago", ha.Backup, func(*Node) {}, false},
	} {
		n := fullNode(t)
		n.now, n.stream, n.peer = now, stream{version: versionDoubts}, peer{state: state{Role: c.role, Detect: time.Second}}
		c.stream(n)
		n.paths = paths{heardPath(t, now, &n.stream)}
		n.paths[0].calm = !c.calm
		if n.hear(); n.paths[0].calm != c.calm {
			t.Errorf("%s: calm %v, want %v", c.name, !c.calm, c.calm)
		}
	}
}
