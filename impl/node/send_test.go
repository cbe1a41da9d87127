package node_test

import (
	"strings"
	"testing"
	"time"

	"baton/impl/driver"
	. "baton/impl/node"
)

// refuse makes the kernel of a node refuse to send on paths, or send again.
func (l *lab) refuse(id string, refused bool, paths ...int) {
	for _, p := range paths {
		l.nodes[id].unsent[p] = refused
	}
}

// TestUnsentPacketsJustifyNoLease: the lab itself fails a test in which both forward.
func TestUnsentPacketsJustifyNoLease(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.refuse("lb1", true, 0, 1)
	l.until(labDetect, "lb1 stops to forward", func() bool { return l.nodes["lb1"].lease <= l.now })
	masterWithin(l, "lb2", labDetect)
	l.run(5 * time.Second)
	if !strings.Contains(l.transcript(), "lb1 Backup → Fault") {
		t.Errorf("lb1 could have claimed beside a peer that it hears:\n%s", l.transcript())
	}
	l.refuse("lb1", false, 0, 1)
	l.run(3 * time.Second)
	l.wantRoles("Backup", "Master")
}

// TestOnePathOnWhichPacketsDoNotLeave: the MASTER keeps its role, since its peer hears it on the
// other path.
func TestOnePathOnWhichPacketsDoNotLeave(t *testing.T) {
	for path := range 2 {
		l := newPair(t)
		l.run(time.Second)
		l.refuse("lb1", true, path)
		for end := l.now.Add(5 * time.Second); l.now < end; {
			l.run(time.Millisecond)
			if l.nodes["lb1"].lease <= l.now || l.role("lb1") != "Master" {
				t.Fatalf("path %d: at %v lb1 is %s and forwards until %v\n%s", path, l.now, l.role("lb1"), l.nodes["lb1"].lease, l.transcript())
			}
		}
	}
}

// TestASlowPacketThatDoesNotLeaveIsSentAgain: the peer hears the MASTER by one packet a second, and
// must not miss it when the other path dies. The lab fails a test in which both forward.
func TestASlowPacketThatDoesNotLeaveIsSentAgain(t *testing.T) {
	for offset := time.Duration(0); offset < 2*time.Second; offset += 50 * time.Millisecond {
		l := newPair(t)
		l.run(time.Second)
		l.dropBFD["lb2 sync"], l.dropSync["lb1"], l.dropSync["lb2"] = true, true, true
		l.run(5*time.Second + offset)
		for range 5 {
			l.nodes["lb1"].full[1] = true
			l.until(2*time.Second, "a slow packet is refused", func() bool { return !l.nodes["lb1"].full[1] })
			l.run(time.Millisecond)
		}
		l.run(600 * time.Millisecond)
		l.dropBFD["lb1 clients"], l.dropBFD["lb2 clients"] = true, true
		l.run(time.Second)
	}
}

// TestALonelyMasterServesWithoutHeartbeats: there is no peer left to receive them.
func TestALonelyMasterServesWithoutHeartbeats(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.crash("lb2")
	l.run(time.Second)
	l.refuse("lb1", true, 0, 1)
	for end := l.now.Add(5 * time.Second); l.now < end; {
		l.run(time.Millisecond)
		if l.nodes["lb1"].lease <= l.now {
			t.Fatalf("at %v lb1 does not forward\n%s", l.now, l.transcript())
		}
	}
}

// TestARenewalThatFailsIsNotBelieved: a MASTER whose dataplane no longer forwards does not
// call itself MASTER for long.
func TestARenewalThatFailsIsNotBelieved(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	lb1.fails[driver.Lease] = driver.Fails
	l.until(labDetect, "lb1 knows that it does not forward", func() bool { return l.role("lb1") != "Master" })
	if lb1.lease > l.now {
		t.Errorf("it forwards until %v", lb1.lease)
	}
}

// A failure on an unknown path is ignored.
func TestAFailedSendOfAnUnknownPath(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	for _, path := range []int{-1, 2} {
		l.step(l.nodes["lb1"], SendFailed{Path: path, Err: "no such device"})
	}
	l.run(time.Second)
	l.wantRoles("Master", "Backup")
}

// TestAPathThatIsNotConfiguredChangesNothing: the driver numbers the paths, and a number beyond them is no reason to end.
func TestAPathThatIsNotConfiguredChangesNothing(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	for _, path := range []int{-1, len(lb1.cfg.Paths)} {
		for _, in := range []Input{Packet{Path: path, Data: make([]byte, 24), TTL: 255}, SendFailed{Path: path, Err: "no route"}} {
			l.step(lb1, in)
		}
	}
	l.run(time.Second)
	l.wantRoles("Master", "Backup")
}
