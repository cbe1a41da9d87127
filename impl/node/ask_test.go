package node

import (
	"testing"
	"time"

	"baton/impl/arbiter"
	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ha"
)

// TestWhoPolls: a node that could serve polls a peer that tells its doubts otherwise. To any other peer its Poll would be a doubt.
func TestWhoPolls(t *testing.T) {
	const now = clock.Instant(time.Second)
	for _, test := range []struct {
		name  string
		edit  func(*Node)
		tells bool
		polls bool
	}{
		{"a BACKUP", nil, true, true},
		{"a BACKUP whose peer's version is not known", nil, false, false},
		{"a node that cannot serve", func(n *Node) { n.gates.open = 0 }, true, false},
		{"a MASTER whose peer's version is not known", func(n *Node) { n.role = ha.Master }, false, true},
		{"a BACKUP whose peer is overdue", func(n *Node) { n.now = now.Add(100 * time.Millisecond) }, false, true},
		{"one that has an arbiter", func(n *Node) {
			n.arbitration.on, n.arbitration.machine, n.gates.open = true, arbiter.New("lb1", time.Second), 0
		}, true, true},
	} {
		n := fullNode(t)
		n.now, n.role, n.gates.open = now, ha.Backup, ha.LinksUp|ha.DataplaneReady|ha.Reachable
		s := stream{up: test.tells, version: versionDoubts}
		n.paths = paths{heardPath(t, now, &s, bfd.Packet{State: bfd.Down}, bfd.Packet{State: bfd.Up})}
		if test.edit != nil {
			test.edit(n)
		}
		if n.ask(); n.polls(&n.paths[0]) != test.polls {
			t.Errorf("%s: polls %v, want %v", test.name, !test.polls, test.polls)
		}
	}
}

// TestWhenADoubtIsDue: at once, if the peer is overdue as the node loses the role.
func TestWhenADoubtIsDue(t *testing.T) {
	const came = clock.Instant(time.Second)
	due := came.Add(time.Millisecond * 9 / 8)
	for _, test := range []struct {
		name     string
		role     ha.Role
		doubting bool
		now      clock.Instant
		want     clock.Instant
	}{
		{"a BACKUP", ha.Backup, false, came, due},
		{"a BACKUP whose peer is overdue", ha.Backup, false, due.Add(50 * time.Millisecond), due.Add(50 * time.Millisecond)},
		{"a BACKUP that doubts already", ha.Backup, true, due.Add(50 * time.Millisecond), clock.Never},
		{"a MASTER", ha.Master, false, due.Add(50 * time.Millisecond), clock.Never},
	} {
		n := fullNode(t)
		n.stream = stream{}
		n.paths = paths{heardPath(t, came, &n.stream, bfd.Packet{State: bfd.Down}, bfd.Packet{State: bfd.Up})}
		n.role, n.doubting, n.now = test.role, test.doubting, test.now
		if got := n.doubtWait(); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// TestWhatASessionThatComesUpProves: the peer has just heard this node on that path, whatever it doubts on another.
func TestWhatASessionThatComesUpProves(t *testing.T) {
	const now = clock.Instant(time.Second)
	n := fullNode(t)
	n.now = now
	for _, packet := range []bfd.Packet{{State: bfd.Down}, {State: bfd.Init, YourDiscr: 1}} {
		packet.DetectMult, packet.MyDiscr, packet.DesiredMinTxInterval, packet.RequiredMinRxInterval = 3, 2, 50*time.Millisecond, 50*time.Millisecond
		n.receivePacket(Packet{Data: packet.AppendTo(nil), TTL: 255})
	}
	if heard := n.paths.proof().heard; heard != now.Add(135*time.Millisecond) {
		t.Errorf("the lease by proof ends at %v", heard)
	}
}

// TestWhatANodePresumesAsItBeginsToPoll: each time, that its last packet was heard. While it polls, only an answer proves that.
func TestWhatANodePresumesAsItBeginsToPoll(t *testing.T) {
	p := heardPath(t, 1, &stream{})
	for i, c := range []struct {
		polls bool
		want  clock.Instant
	}{{false, 0}, {true, 1}, {true, 1}, {false, 1}, {true, 4}} {
		p.sending.last = clock.Instant(i)
		if p.ask(c.polls); p.proven != c.want {
			t.Errorf("%d, polls %v: proven %v, want %v", i, c.polls, p.proven, c.want)
		}
	}
}

// TestWhichDoubtCountsAgainstALease: one that came after the claim had begun. What came as it began was sent before.
func TestWhichDoubtCountsAgainstALease(t *testing.T) {
	const claimed = clock.Instant(100)
	for came, counts := range map[clock.Instant]bool{0: false, claimed - 1: false, claimed: false, claimed + 1: true} {
		l := lease{claimed: claimed}
		if got := l.doubted(footing{proof: proof{doubted: came}}); got != counts {
			t.Errorf("a doubt at %v, a claim at %v: %v, want %v", came, claimed, got, counts)
		}
	}
}
