package node_test

import (
	"testing"
	"time"

	"baton/impl/driver"
	"baton/impl/flow"
	. "baton/impl/node"
)

// strays gives a BACKUP a flow that its programs have opened. later are the states that later
// packets of the flow have caused and that the node does not know yet; each drain reports one.
func (l *lab) strays(id string, later ...flow.State) (t flow.Tuple, drains *int) {
	n, e := l.nodes[id], labEntry(1)
	e.State = flow.SynSent
	l.step(n, Flows{Events: []flow.Event{{Entry: e}}}) // the node writes it back
	drains = new(int)
	n.onDrain = func(take func([]flow.Event)) bool {
		if *drains++; *drains <= len(later) {
			told := e
			told.State = later[*drains-1]
			take([]flow.Event{{Entry: told}})
		}
		return false
	}
	return e.Original, drains
}

// TestAClaimWaitsUntilADrainBringsNoStray: writing a stray back may have undone a later packet of
// its flow.
func TestAClaimWaitsUntilADrainBringsNoStray(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	of, drains := l.strays("lb2", flow.Established, flow.FinWait)
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+10*time.Millisecond)
	if got := l.nodes["lb2"].table[of].State; got != flow.FinWait {
		t.Errorf("the dataplane holds the flow as %v, want fin-wait as in its last packet", got)
	}
	if *drains != 3 {
		t.Errorf("the claim drained %d times, want twice for strays and once more, which brought none", *drains)
	}
}

// TestAClaimWaitsForTheAnswerOfTheDrain: strays may come before it.
func TestAClaimWaitsForTheAnswerOfTheDrain(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb2 := l.nodes["lb2"]
	l.strays("lb2")
	lb2.onDrain = func(func([]flow.Event)) bool { lb2.holdDone = true; return false }
	l.crash("lb1")
	l.until(labDetect+10*time.Millisecond, "lb2 drains", func() bool { return lb2.holdDone })
	l.run(InstallLimit / 2)
	if lb2.lease > l.now {
		t.Error("lb2 forwards before its drain was answered")
	}
	l.release("lb2")
	masterWithin(l, "lb2", 10*time.Millisecond)
}

// TestAClaimWaitsUntilWhatWasReceivedIsApplied: a node that forwarded earlier would drop packets of flows that it knows.
func TestAClaimWaitsUntilWhatWasReceivedIsApplied(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb2 := l.nodes["lb2"]
	lb2.holdDone = true
	l.open("lb1", 1)
	l.run(labTx)
	l.crash("lb1")
	l.until(labDetect, "lb2 claims", func() bool { return l.role("lb2") == "Claiming" })
	l.run(InstallLimit / 2)
	if lb2.lease > l.now {
		t.Error("lb2 forwards, although the dataplane has not taken the last change yet")
	}
	l.release("lb2")
	masterWithin(l, "lb2", 10*time.Millisecond)
}

func TestAClaimWithoutStraysDrainsNothing(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	drained := false
	l.nodes["lb2"].onDrain = func(func([]flow.Event)) bool { drained = true; return false }
	l.open("lb1", 1)
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+10*time.Millisecond)
	if drained {
		t.Error("the claim waited for a drain, although no flow of this node's own had come")
	}
}

func TestADataplaneThatCannotBeDrainedDoesNotKeepANodeFromServing(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.strays("lb2")
	l.nodes["lb2"].fails[driver.Drain] = driver.Fails
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+InstallLimit+10*time.Millisecond)
}
