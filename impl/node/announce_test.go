package node_test

import (
	. "baton/impl/node"
	"testing"
	"time"

	"baton/impl/trace"
)

// announcements counts a node's announcements since the transcript had since events.
func (l *lab) announcements(id string, since int) int {
	count := 0
	for _, e := range l.log[since:] {
		if e.Kind == trace.KindAnnounce && e.Node == id {
			count++
		}
	}
	return count
}

func TestNothingIsAnnouncedOnceForwardingHasEnded(t *testing.T) {
	l := newPair(t)
	l.run(10 * time.Millisecond) // in the middle of lb1's Burst
	l.dropSync["lb2"] = true     // no answer: lb1 stays Yielding for long
	l.open("lb1", 1)
	l.step(l.nodes["lb1"], Handover{})
	l.wantRoles("Yielding", "Backup")
	since := len(l.log)
	l.run(YieldLimit / 2)
	if n := l.announcements("lb1", since); n != 0 {
		t.Errorf("announced %d times while Yielding", n)
	}
}

// While the peer was not heard, it may have been MASTER, and hosts may have learned its
// hardware address for the VIPs.
func TestAMasterAnnouncesAgainWhenItHearsItsPeerAgain(t *testing.T) {
	l := newPair(t)
	l.run(2 * time.Second)
	l.crash("lb2")
	l.run(time.Second)
	since := len(l.log)
	l.boot("lb2")
	l.until(time.Second, "lb1 hears lb2", func() bool { return l.announcements("lb1", since) > 0 })
	l.run(Burst[len(Burst)-1])
	l.wantRoles("Master", "Backup")
	if n := l.announcements("lb1", since); n != len(Burst) {
		t.Errorf("announced %d times after the peer came back, want %d", n, len(Burst))
	}
}

// Every frame of a Burst may be lost. A host then sends to the old MASTER until its neighbour
// entry ages out.
func TestAMasterGoesOnAnnouncing(t *testing.T) {
	l := newPair(t)
	last := Burst[len(Burst)-1]
	l.run(last + time.Millisecond)
	since, want := len(l.log), int((Settled-last)/Repeat)
	l.run(Settled - last)
	if n := l.announcements("lb1", since); n != want {
		t.Errorf("announced %d times in the %v after the Burst, want one each %v", n, Settled-last, Repeat)
	}
	settledAt := len(l.log)
	l.run(3*Refresh + Refresh/2)
	l.wantRoles("Master", "Backup")
	if n := l.announcements("lb1", settledAt); n != 3 {
		t.Errorf("announced %d times in the %v after that, want one each %v", n, 3*Refresh+Refresh/2, Refresh)
	}
	if n := l.announcements("lb2", since); n != 0 {
		t.Errorf("the Backup announced %d times", n)
	}
}
