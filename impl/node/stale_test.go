package node_test

import (
	"slices"
	"testing"
	"time"

	"baton/impl/ha"
	. "baton/impl/node"
)

// A grant ends with the stream that brought it: who gave the role cannot be told any more
// that it was taken, and takes it back.
func TestAGrantEndsWithItsStream(t *testing.T) {
	l := newPair(t, tracking)
	l.run(time.Second)
	l.step(l.nodes["lb1"], Handover{})
	l.probe("lb2", false) // while the grant is on its way: it cannot be acted upon yet
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

// The giver may learn first that the stream is lost. While the grant can still be acted
// upon the giver hears so by BFD, and does not take the role back.
func TestTheGiverLosesTheStreamFirst(t *testing.T) {
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

// A MASTER that was paused while it handed over finds its peer in the role. It neither
// gives it again nor takes it back.
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

// What the peer said before this node was paused may have waited in a buffer. Here it says
// Backup, was so, and has claimed since; that it has is lost on the way.
func TestWordsFromBeforeAPauseAllowNoClaim(t *testing.T) {
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

// A node that stops stays until its peer has taken the role over, for as long as that may
// be expected: what it has not sent yet would be lost with it.
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
