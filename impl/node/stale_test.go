package node_test

import (
	"slices"
	"testing"
	"time"

	"baton/impl/ha"
	. "baton/impl/node"
)

// A grant ends with its stream: the node that gave the role can no longer learn that it was
// taken, and takes it back.
func TestAGrantEndsWithItsStream(t *testing.T) {
	l := newPair(t, tracking)
	l.run(time.Second)
	l.step(l.nodes["lb1"], Handover{})
	l.probe("lb2", false) // while the grant is in flight: lb2 cannot act on it yet
	l.run(GrantLimit / 4)
	l.wantRoles("Backup", "Backup")
	l.dropStreams(true)
	l.step(l.nodes["lb2"], Stream{ID: l.nodes["lb2"].stream, Why: "broken pipe"})
	l.nodes["lb2"].stream = 0
	l.probe("lb2", true)
	l.run(10 * time.Millisecond)
	if why := l.nodes["lb2"].node.GateReason(ha.Granted); why != "no grant" {
		t.Errorf("Granted: %s", why)
	}
	if l.role("lb2") != "Backup" {
		t.Errorf("lb2 is %s by a grant whose stream is lost", l.role("lb2"))
	}
}

// The giving node may be the first to notice the loss of the stream. While the grant is valid,
// BFD tells it so, and it does not take the role back.
func TestAGrantIsNotTakenBackIfTheGiverLosesTheStreamFirst(t *testing.T) {
	for able := range 2 {
		l := newPair(t, tracking)
		l.run(time.Second)
		l.step(l.nodes["lb1"], Handover{})
		l.probe("lb2", false)
		l.run(GrantLimit / 4)
		l.dropStreams(true)
		l.step(l.nodes["lb1"], Stream{ID: l.nodes["lb1"].stream, Why: "connection reset by peer"})
		l.nodes["lb1"].stream = 0
		l.run(10 * time.Millisecond)
		l.probe("lb2", able == 1) // two forwarders would end the test
		l.run(5 * time.Second)
		if (l.role("lb1") == "Master") == (l.role("lb2") == "Master") {
			t.Errorf("lb1 %s, lb2 %s", l.role("lb1"), l.role("lb2"))
		}
	}
}

// A MASTER that was paused during a handover finds its peer in the role. It neither gives the
// role again nor takes it back.
func TestAMasterIsPausedWhileItHandsOver(t *testing.T) {
	for _, pause := range []time.Duration{2 * labDetect, 5 * time.Second} {
		l := newPair(t)
		l.openMany("lb1", 10)
		lb1 := l.nodes["lb1"]
		lb1.holdDone = true // the drain takes its time
		l.step(lb1, Handover{})
		l.wantRoles("Yielding", "Backup")
		l.freeze("lb1")
		masterWithin(l, "lb2", labDetect+5*time.Millisecond)
		l.run(pause)
		since := l.mark("lb1")
		l.thaw("lb1")
		l.release("lb1")
		l.run(5 * time.Second)
		l.wantRoles("Backup", "Master")
		if changes := since(); slices.ContainsFunc(changes, func(c string) bool { return c != "Yielding→Backup" }) {
			t.Errorf("after a pause of %v in mid-handover: %v", pause, changes)
		}
	}
}

// A state that the peer sent before this node's pause may have waited in a buffer. Here it says
// Backup; the peer has claimed since, but that state was lost.
func TestAStateFromBeforeAPauseAllowsNoClaim(t *testing.T) {
	l := newPair(t)
	l.run(10 * time.Second) // the recovery delay is not lengthened by what follows
	lb1 := l.nodes["lb1"]
	l.freeze("lb1")
	l.until(2*labDetect, "lb2 claims", func() bool { return l.role("lb2") == "Claiming" })
	l.dropBFD["lb2 sync"], l.dropSync["lb2"] = true, true
	masterWithin(l, "lb2", 5*time.Millisecond)
	since := l.mark("lb1")
	l.thaw("lb1")
	l.run(labDetect)
	if changes := since(); slices.ContainsFunc(changes, func(c string) bool { return c == "Backup→Claiming" }) {
		t.Errorf("lb1 claims by what waited: %v\n%s", changes, lb1.node.GateReason(ha.NoMaster))
	}
}

// A stopping node waits, for a limited time, until its peer has taken over: unsent changes would
// be lost with it.
func TestANodeThatStopsWaitsForItsPeerToServe(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1, lb2 := l.nodes["lb1"], l.nodes["lb2"]
	lb2.holdDone = true // its dataplane takes the lease slowly
	l.step(lb1, Stop{})
	l.until(time.Second, "lb2 claims", func() bool { return l.role("lb2") == "Claiming" })
	l.run(100 * time.Millisecond)
	if lb1.exited {
		t.Error("lb1 exits while its peer still claims")
	}
	l.release("lb2")
	l.until(time.Second, "lb1 exits", func() bool { return lb1.exited })
	l.wantRoles("Backup", "Master")
}

// On a new stream the MASTER tells its role before it opens a round of the sync. Until it has, the table is that of the
// former stream, and in time it counts as stale, however much the MASTER says.
func TestATableIsStaleUntilTheNewStreamHasOpenedARound(t *testing.T) {
	l := newPair(t)
	l.openMany("lb1", 10)
	l.loseSync = func(n *labNode, frame []byte) bool { return n.id == "lb1" && frame[0] < TypeState }
	l.join()
	l.open("lb1", 10)
	l.run(StaleAfter + 100*time.Millisecond)
	lb2 := l.nodes["lb2"].node
	if _, known := lb2.PeerSaid(); !known {
		t.Fatal("lb1 says nothing on the new stream")
	}
	if lb2.GateOpen(ha.InSync) {
		t.Errorf("lb2 is in sync although it has 10 of 11 flows: %s", lb2.GateReason(ha.InSync))
	}
	l.loseSync = nil
	l.join()
	l.until(time.Second, "lb2 in sync", func() bool { return lb2.GateOpen(ha.InSync) })
	l.run(10 * time.Millisecond)
	l.wantFlows("lb2", 11)
}
