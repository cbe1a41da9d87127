package daemon

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/trace"
)

// The transport is called when the peer's heartbeat begins on a path, and at no other change of a
// session.
func TestTheTransportLearnsWhenThePeersHeartbeatBegins(t *testing.T) {
	b := newBench(t, bfd.Config{LocalDiscr: 1, DesiredMinTxInterval: time.Second, RequiredMinRxInterval: time.Second, DetectMult: 3})
	heard := 0
	b.out.heard = func() { heard++ }
	for _, change := range []struct {
		from, to bfd.State
		told     int
	}{
		{bfd.Down, bfd.Init, 1}, {bfd.Down, bfd.Up, 1},
		{bfd.Init, bfd.Up, 0}, {bfd.Up, bfd.Down, 0}, {bfd.Init, bfd.Down, 0},
	} {
		heard = 0
		(*ports)(b.loop).Record(trace.Event{Kind: trace.KindBFD, Node: "lb1",
			BFD: &trace.BFD{Path: "sync", From: change.from.String(), To: change.to.String()}})
		if heard != change.told {
			t.Errorf("%v to %v: told %d times, want %d", change.from, change.to, heard, change.told)
		}
	}
}
