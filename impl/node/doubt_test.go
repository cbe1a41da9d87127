package node

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
)

// A Poll on a path that is Up is a doubt, unless the stream's version shows that the peer doubts by
// diagnostic; that holds while the session is Up. A peer that cannot serve doubts by Polls only.
func TestWhenAPollMeansADoubt(t *testing.T) {
	session, err := bfd.New(bfd.Config{LocalDiscr: 1, DesiredMinTxInterval: time.Millisecond, RequiredMinRxInterval: time.Millisecond, DetectMult: 255}, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := path{session: session, said: neverSaid}
	hears := func(state bfd.State, said condition, s stream) {
		packet := bfd.Packet{State: state, Diag: diagOf[said], DetectMult: 255, MyDiscr: 2, YourDiscr: 1, DesiredMinTxInterval: time.Millisecond, RequiredMinRxInterval: time.Millisecond}
		p.receive(1, Packet{Data: packet.AppendTo(nil), TTL: 255})
		p.learn(&s)
	}
	knows, lost, earlier := stream{up: true, version: versionDoubts}, stream{version: versionDoubts}, stream{up: true, version: versionDoubts - 1}
	for i, step := range []struct {
		state  bfd.State
		said   condition
		stream stream
		doubts bool
	}{
		{bfd.Down, standby, knows, false},
		{bfd.Up, standby, earlier, true},
		{bfd.Up, standby, lost, true},
		{bfd.Up, standby, knows, false},
		{bfd.Up, unable, knows, true},
		{bfd.Up, standby, lost, false},
		{bfd.Down, standby, lost, false},
		{bfd.Down, standby, lost, false},
		{bfd.Up, standby, lost, true},
	} {
		if hears(step.state, step.said, step.stream); p.doubtsByPoll() != step.doubts {
			t.Errorf("step %d, session %v: a Poll is a doubt: %v", i, session.State(), p.doubtsByPoll())
		}
	}
}

// TestWhenADoubtIsTold: only a peer that is heard by BFD alone tells by its diagnostic whether it hears this node. The stream's word
// counts more, and a peer that has fallen silent has not said anything about the present.
func TestWhenADoubtIsTold(t *testing.T) {
	const now = clock.Instant(time.Second)
	for _, test := range []struct {
		name string
		edit func(*Node)
		diag bfd.Diag
		told bool
	}{
		{"by BFD alone", nil, diagDoubt, true},
		{"no doubt", nil, diagOf[standby], false},
		{"on a live stream whose peer is known", func(n *Node) { n.stream.spoken, n.peer.known = true, true }, diagDoubt, false},
		{"on a live stream that has not told a role", func(n *Node) { n.stream.spoken = true }, diagDoubt, true},
		{"then silence", func(n *Node) { n.now = now.Add(time.Second) }, diagDoubt, false},
	} {
		n := fullNode(t)
		n.now = now
		n.peer.state.Detect = time.Second
		n.stream = stream{up: true, version: versionDoubts, heard: now}
		n.paths[0] = heardPath(t, now, &n.stream, bfd.Packet{State: bfd.Down}, bfd.Packet{State: bfd.Up, Diag: test.diag})
		if test.edit != nil {
			test.edit(n)
		}
		n.paths[0].advance(n.now)
		if got := n.doubtTold(); got != test.told {
			t.Errorf("%s: told %v, want %v", test.name, got, test.told)
		}
	}
}
