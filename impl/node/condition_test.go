package node

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
)

// What a peer said on a session that is not Up counts for as long as it may take to say it
// again: it sends once a second then, and the session itself waits for several of those.
func TestAConditionCountsUntilThePeerShouldHaveRepeatedIt(t *testing.T) {
	now := clock.Instant(time.Hour)
	session, err := bfd.New(bfd.Config{LocalDiscr: 1, DesiredMinTxInterval: 50 * time.Millisecond, RequiredMinRxInterval: 50 * time.Millisecond, DetectMult: 3}, now)
	if err != nil {
		t.Fatal(err)
	}
	p := path{session: session}
	if said := p.condition(now); said != unknown {
		t.Errorf("before anything was heard: %v", said)
	}
	packet := bfd.Packet{State: bfd.Down, Diag: diagOf[standby], DetectMult: 3, MyDiscr: 2, DesiredMinTxInterval: time.Second, RequiredMinRxInterval: 50 * time.Millisecond}
	if err := session.Receive(now, packet.AppendTo(nil), 255); err != nil {
		t.Fatal(err)
	}
	for _, after := range []struct {
		passed time.Duration
		said   condition
	}{{0, standby}, {bootListen - 1, standby}, {bootListen, unknown}} {
		if said := p.condition(now.Add(after.passed)); said != after.said {
			t.Errorf("%v after it was said: %v, want %v", after.passed, said, after.said)
		}
	}
}
