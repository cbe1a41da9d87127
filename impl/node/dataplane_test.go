package node_test

import (
	. "baton/impl/node"
	"strings"
	"testing"
	"time"

	"baton/impl/driver"
	"baton/impl/ha"
)

func TestADataplaneThatTakesNoEntriesDoesNotKeepANodeFromServing(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.nodes["lb2"].fails[driver.Apply] = driver.Fails
	l.open("lb1", 1)
	l.run(100 * time.Millisecond)
	if l.inSync("lb2") {
		t.Error("in sync without the flow")
	}
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+InstallLimit+10*time.Millisecond)
	if !strings.Contains(l.transcript(), "degraded") {
		t.Errorf("claimed as if in sync:\n%s", l.transcript())
	}
}

func TestLostFlowEventsAreFoundByADump(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	e := l.open("lb1", 1)
	l.run(10 * time.Millisecond)
	missed := e
	missed.Original.SrcPort, missed.Reply.DstPort = 2, 2
	l.nodes["lb1"].table[missed.Original] = missed // its event was lost
	l.step(l.nodes["lb1"], Lost{})
	l.until(time.Second, "the peer has the flow", func() bool {
		_, ok := l.nodes["lb2"].table[missed.Original]
		return ok
	})
}

func TestALinkLostOnTheMasterMovesTheRole(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.step(l.nodes["lb1"], Link{Name: "backend0", Up: false})
	masterWithin(l, "lb2", 20*time.Millisecond)
	l.wantRoles("Fault", "Master")
	l.step(l.nodes["lb1"], Link{Name: "backend0", Up: true})
	l.run(3 * time.Second)
	l.wantRoles("Backup", "Master")
}

func TestARefusedLeaseIsAFault(t *testing.T) {
	l := newLab(t)
	n := l.nodes["lb1"]
	n.holdDone = true
	l.boot("lb1")
	n.holdDone = true
	l.until(BootListen+labDetect, "lb1 asks for the lease", func() bool { return l.role("lb1") == "Claiming" && len(n.later) > 0 })
	for _, in := range n.later {
		d := in.(Done)
		d.Err = "map is read-only"
		n.node.Step(l.now, d)
	}
	if got := n.node.Role(); got != ha.Fault && got != ha.Backup {
		t.Errorf("role %s after a refused lease", got)
	}
}

// A node whose dataplane refused the lease waits before it asks again. Meanwhile a peer with
// the complete table need not wait, although this node ranks above it by its epoch.
func TestARefusedLeaseDoesNotKeepThePeerWaiting(t *testing.T) {
	for _, refused := range []string{"lb1", "lb2"} { // lb1 has the higher priority
		l := newPair(t)
		l.run(time.Second)
		serves := "lb1"
		if refused == "lb1" {
			l.handOver("lb1", "lb2")
			serves = "lb2"
			l.run(time.Second)
		}
		l.nodes[refused].fails[driver.Lease] = driver.Fails
		l.freeze(serves)
		l.until(labDetect+5*time.Millisecond, refused+" claims in vain", func() bool { return strings.Contains(l.transcript(), refused+" Fault") })
		delete(l.nodes[refused].fails, driver.Lease)
		l.run(100 * time.Millisecond)
		l.thaw(serves)
		masterWithin(l, serves, 50*time.Millisecond)
		l.run(2 * time.Second)
		if l.role(serves) != "Master" || l.role(refused) != "Backup" {
			t.Errorf("%s is %s, %s is %s", serves, l.role(serves), refused, l.role(refused))
		}
	}
}

// A node with the complete table whose dataplane keeps refusing the lease flaps, but its
// wait does not grow. Its peer may have been refused too, and then nobody serves.
func TestFlappingDoesNotLengthenTheWaitAfterARefusal(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.nodes["lb2"].fails[driver.Lease] = driver.Fails
	l.crash("lb1")
	l.run(8 * labHold)
	delete(l.nodes["lb2"].fails, driver.Lease)
	masterWithin(l, "lb2", labHold+labDetect+50*time.Millisecond)
}

// A node whose claim was refused a lease has forwarded nothing, so its table keeps its old
// worth. The node that serves instead sends it its table and keeps the role.
func TestARefusedClaimDoesNotRaiseTheTablesPedigree(t *testing.T) {
	l := newLab(t)
	l.nodes["lb1"].fails[driver.Lease] = driver.Fails
	l.boot("lb1")
	l.boot("lb2")
	l.until(3*time.Second, "lb1 claims in vain", func() bool { return strings.Contains(l.transcript(), "lb1 Fault") })
	if s := l.nodes["lb1"].node.Status(); s.Complete || s.Epoch != 0 {
		t.Errorf("after its claim lb1 is of epoch %d, complete %t, want what it was before: nothing", s.Epoch, s.Complete)
	}
	delete(l.nodes["lb1"].fails, driver.Lease)
	masterWithin(l, "lb2", 2*time.Second)
	l.openMany("lb2", 40)
	l.run(5 * time.Second)
	l.wantRoles("Backup", "Master")
	l.wantFlows("lb1", 40)
	l.wantFlows("lb2", 40)
}
