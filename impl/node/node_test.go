package node_test

import (
	. "baton/impl/node"
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
)

// roleEvents returns the role changes of a node, as "Backup→Claiming".
func (l *lab) roleEvents(id string) []string {
	var changes []string
	for _, e := range l.log {
		if e.Kind == trace.KindRole && e.Node == id && e.Role.Refused == "" {
			changes = append(changes, e.Role.From+"→"+e.Role.To)
		}
	}
	return changes
}

// lastRole returns the newest role change of a node.
func (l *lab) lastRole(id string) *trace.Role {
	for i := len(l.log) - 1; i >= 0; i-- {
		if e := l.log[i]; e.Kind == trace.KindRole && e.Node == id && e.Role.Refused == "" {
			return e.Role
		}
	}
	return &trace.Role{}
}

func (l *lab) wantRoles(lb1, lb2 string) {
	l.t.Helper()
	if got1, got2 := l.role("lb1"), l.role("lb2"); got1 != lb1 || got2 != lb2 {
		l.t.Fatalf("roles %s, %s; want %s, %s\n%s", got1, got2, lb1, lb2, l.transcript())
	}
}

// mark returns a function that returns the role changes of a node since then.
func (l *lab) mark(id string) func() []string {
	n := len(l.roleEvents(id))
	return func() []string { return l.roleEvents(id)[n:] }
}

func masterWithin(l *lab, id string, d time.Duration) {
	l.t.Helper()
	l.until(d, id+" is Master", func() bool { return l.role(id) == "Master" })
}

// A node may learn of the next stream before it learns that the last one has ended. What was lost with
// the last one is sent again, without waiting for a gap to show.
func TestAStreamThatReplacesAnotherBeginsAnew(t *testing.T) {
	l := newPair(t)
	l.openMany("lb1", 10)
	l.dropSync["lb1"] = true
	l.open("lb1", 11)
	l.run(10 * time.Millisecond)
	l.dropSync["lb1"] = false
	streams := l.streams
	l.join()
	l.run(50 * time.Millisecond)
	l.wantFlows("lb2", 11)
	if !l.inSync("lb2") || l.streams != streams+1 {
		t.Errorf("lb2 in sync: %v, after %d more streams\n%s", l.inSync("lb2"), l.streams-streams, l.transcript())
	}
}

// An operator reads how long the node still forwards.
func TestTheStatusSaysHowLongTheLeaseLasts(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1, lb2 := l.nodes["lb1"], l.nodes["lb2"]
	if got, want := lb1.node.Status().Lease, lb1.lease.Sub(l.now); got <= 0 || got < want-labTx || got > want+labTx {
		t.Errorf("the MASTER forwards for another %v, and says %v", want, got)
	}
	if got := lb2.node.Status().Lease; got != 0 {
		t.Errorf("the BACKUP says that it forwards for another %v", got)
	}
}

func TestTheStatusSaysThePeersRoleOnceItIsKnown(t *testing.T) {
	l := newLab(t)
	l.boot("lb1")
	if got := l.nodes["lb1"].node.Status().Peer; got.Role != "unknown" || got.Known {
		t.Errorf("a peer that has not been heard is %s, known: %v", got.Role, got.Known)
	}
	l.boot("lb2")
	l.run(2 * time.Second)
	for id, want := range map[string]string{"lb1": "Backup", "lb2": "Master"} {
		if got := l.nodes[id].node.Status().Peer; got.Role != want || !got.Known {
			t.Errorf("the peer of %s is %s, known: %v, want %s", id, got.Role, got.Known, want)
		}
	}
}

func TestColdStartMakesOneMaster(t *testing.T) {
	l := newPair(t)
	l.run(2 * time.Second)
	l.wantRoles("Master", "Backup")
	for _, change := range l.roleEvents("lb2") {
		if strings.Contains(change, "Master") {
			t.Errorf("lb2 was MASTER for a while: %v", l.roleEvents("lb2"))
		}
	}
}

func TestALonelyNodeServesAfterItHasListenedAndItsHold(t *testing.T) {
	l := newLab(t)
	l.boot("lb2")
	l.run(max(labHold, BootListen) - time.Millisecond)
	l.wantRoles("down", "Backup")
	masterWithin(l, "lb2", labDetect+10*time.Millisecond)
	l.run(5 * time.Second)
	l.wantRoles("down", "Master")
	if l.nodes["lb2"].lease <= l.now {
		t.Error("a lonely MASTER let its lease run out")
	}
}

func TestCrashIsTakenOverWithinDetection(t *testing.T) {
	l := newPair(t)
	e := l.open("lb1", 1)
	l.run(time.Second)
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	if role := l.lastRole("lb2"); role.Degraded {
		t.Errorf("claimed degraded although in sync: %s", role.Reason)
	}
	if _, ok := l.nodes["lb2"].table[e.Original]; !ok {
		t.Error("the new MASTER does not know the flow")
	}
}

func TestRestoredMasterStaysBackup(t *testing.T) {
	l := newPair(t)
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	for i := range 1000 {
		l.open("lb2", i)
	}
	l.run(time.Second)
	since := l.mark("lb2")
	l.boot("lb1")
	l.until(time.Second, "lb1 in sync", func() bool { return l.inSync("lb1") })
	l.run(5 * time.Second)
	l.wantRoles("Backup", "Master")
	if changes := since(); len(changes) != 0 {
		t.Errorf("lb2 changed its role: %v", changes)
	}
	if got := len(l.nodes["lb1"].table); got != 1000 {
		t.Errorf("the restored node has %d flows, want 1000", got)
	}
}

// The recovery delay may be short; a frozen MASTER's lease runs all the same.
func TestABootingNodeWaitsForALeaseItCannotSee(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Hold = 0 })
	l.boot("lb1")
	masterWithin(l, "lb1", BootListen+labDetect+10*time.Millisecond)
	l.run(time.Second)
	l.freeze("lb1")
	l.boot("lb2")
	l.run(labDetect / 2) // two forwarders would end the test
	masterWithin(l, "lb2", BootListen+labDetect)
}

func TestOrderOfPromotion(t *testing.T) {
	for _, early := range []bool{false, true} {
		l := newPair(t, func(c *Config) { c.AnnounceEarly = early })
		var order []string
		for _, e := range l.log {
			if e.Node != "lb1" {
				continue
			}
			switch {
			case e.Kind == trace.KindLease && e.Lease.Until > e.At:
				order = append(order, "lease")
			case e.Kind == trace.KindAnnounce:
				order = append(order, "announce")
			}
		}
		first := order[0]
		if want := map[bool]string{false: "lease", true: "announce"}[early]; first != want {
			t.Errorf("announce early %v: %s came first, want %s", early, first, want)
		}
	}
}

// With the gates off and immediate preemption the node is what LoxiLB #565 was.
func TestUnsafeNodeSeizesTheRoleWithoutItsTable(t *testing.T) {
	l := newLab(t, func(c *Config) { c.GatesOff, c.Preempt = true, PreemptImmediate })
	l.unsafe = true
	l.boot("lb1")
	l.boot("lb2")
	l.run(time.Second)
	l.crash("lb1")
	masterWithin(l, "lb2", 2*labDetect)
	l.open("lb2", 1)
	l.run(time.Second)
	l.boot("lb1")
	l.run(100 * time.Millisecond)
	l.wantRoles("Master", "Backup")
	l.open("lb2", 1) // its event comes late
	l.run(time.Second)
	if len(l.nodes["lb1"].table) != 0 {
		t.Error("it had the table, so the control proves nothing")
	}
	if !l.nodes["lb1"].guess {
		t.Error("it does not take mid-flow segments for new flows")
	}
}
