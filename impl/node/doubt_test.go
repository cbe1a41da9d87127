package node

import (
	"testing"
	"time"

	"baton/impl/bfd"
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
