package node_test

import (
	"baton/impl/flow"
	. "baton/impl/node"
	"strings"
	"testing"
	"time"
)

func TestPreferredNodeIsHandedTheRoleAfterSync(t *testing.T) {
	l := newPair(t, func(c *Config) { c.Preempt = PreemptAfterSync })
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	for i := range 1000 {
		l.open("lb2", i)
	}
	l.boot("lb1")
	masterWithin(l, "lb1", 2*time.Second)
	if role := l.lastRole("lb1"); role.Epoch != 3 {
		t.Errorf("epoch %d, want 3", role.Epoch)
	}
	if !strings.Contains(l.transcript(), "granted by the MASTER") {
		t.Errorf("not by a grant:\n%s", l.transcript())
	}
	l.run(time.Second)
	l.wantRoles("Master", "Backup")
	if !l.inSync("lb2") {
		t.Error("the node that yielded is not in sync")
	}
}

func TestOperatorHandover(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.step(l.nodes["lb1"], Handover{})
	masterWithin(l, "lb2", 20*time.Millisecond)
	l.run(3 * time.Second)
	l.wantRoles("Backup", "Master")
	if !l.inSync("lb1") {
		t.Error("the former MASTER is not in sync")
	}
}

// The nodes hear each other on the sync stream alone. The MASTER that grants is heard as serving until its
// next word, which does not stop the node that it has granted the role.
func TestHandoversWhileBFDIsFiltered(t *testing.T) {
	l := newPair(t)
	for _, sender := range []string{"lb1", "lb2"} {
		for _, p := range l.nodes[sender].cfg.Paths {
			l.dropBFD[sender+" "+p.Name] = true
		}
	}
	l.run(HearLimit + time.Second)
	l.wantRoles("Master", "Backup")
	l.step(l.nodes["lb1"], Handover{})
	masterWithin(l, "lb2", 20*time.Millisecond)
	l.run(time.Second)
	l.step(l.nodes["lb2"], Handover{})
	masterWithin(l, "lb1", 20*time.Millisecond)
}

// The last drain of a handover finds that events were lost: the dataplane is read before the role is
// granted.
func TestAHandoverLosesNoFlowWhoseEventIsLost(t *testing.T) {
	l := newPair(t)
	l.run(100 * time.Millisecond)
	l.nodes["lb1"].onDrain = func(func([]flow.Event)) bool {
		l.nodes["lb1"].onDrain = nil
		l.uncounted("lb1", 7)
		return true
	}
	l.step(l.nodes["lb1"], Handover{})
	masterWithin(l, "lb2", 20*time.Millisecond)
	if held := len(l.nodes["lb2"].table); held != 1 {
		t.Errorf("the new MASTER holds %d flows, want the one whose event was lost", held)
	}
}

// A node that handed over in order has not flapped: it takes over from a crashed peer
// without extra delay, however often the role has moved.
func TestHandoversDoNotCountAsFlaps(t *testing.T) {
	l := newPair(t)
	l.run(100 * time.Millisecond)
	for range 3 {
		l.step(l.nodes["lb1"], Handover{})
		masterWithin(l, "lb2", 20*time.Millisecond)
		l.run(100 * time.Millisecond)
		l.step(l.nodes["lb2"], Handover{})
		masterWithin(l, "lb1", 20*time.Millisecond)
		l.run(100 * time.Millisecond)
	}
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
}

func TestHandoverIsRefusedWithoutAReadyPeer(t *testing.T) {
	l := newPair(t)
	l.crash("lb2")
	l.run(time.Second)
	l.step(l.nodes["lb1"], Handover{})
	l.run(time.Second)
	if l.role("lb1") != "Master" {
		t.Fatalf("gave the role to nobody\n%s", l.transcript())
	}
	if !strings.Contains(l.transcript(), "handover refused: PeerReady") {
		t.Errorf("the refusal does not name its gate:\n%s", l.transcript())
	}
}

func TestHandoverToADyingPeerIsTakenBack(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropSync["lb2"] = true // its acks never arrive
	l.open("lb1", 7)
	l.step(l.nodes["lb1"], Handover{})
	l.wantRoles("Yielding", "Backup")
	masterWithin(l, "lb1", YieldLimit+50*time.Millisecond)
	if got := l.lastRole("lb1").Epoch; got != 2 {
		t.Errorf("taken back with epoch %d, want 2", got)
	}
}

func TestStopHandsOverFirst(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.step(l.nodes["lb1"], Stop{})
	masterWithin(l, "lb2", 20*time.Millisecond)
	l.until(100*time.Millisecond, "lb1 exits", func() bool { return l.nodes["lb1"].exited })
	if role := l.lastRole("lb2"); !strings.Contains(strings.Join(role.Gates, " "), "Granted") && role.Degraded {
		t.Errorf("lb2 claimed %s", role.Reason)
	}
}

// A MASTER that pauses during a handover may have been declared down.
func TestAPauseWhileYieldingGivesTheRoleUp(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropSync["lb2"] = true
	l.open("lb1", 1)
	l.step(l.nodes["lb1"], Handover{})
	l.wantRoles("Yielding", "Backup")
	l.freeze("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	l.run(YieldLimit)
	l.thaw("lb1")
	l.run(time.Second)
	l.wantRoles("Backup", "Master")
}

func TestANodeThatLeavesDoesNotClaim(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropSync["lb2"] = true // lb1 waits for an ack that never comes
	l.open("lb1", 1)
	l.step(l.nodes["lb1"], Stop{})
	l.wantRoles("Yielding", "Backup")
	since := l.mark("lb1")
	l.crash("lb2")
	l.until(2*YieldLimit, "lb1 exits", func() bool { return l.nodes["lb1"].exited })
	for _, change := range since() {
		if strings.HasSuffix(change, "Claiming") {
			t.Errorf("claimed while it was leaving: %v", since())
		}
	}
}

func TestStopOfALonelyMasterEnds(t *testing.T) {
	l := newLab(t)
	l.boot("lb1")
	masterWithin(l, "lb1", BootListen+labDetect)
	l.step(l.nodes["lb1"], Stop{})
	l.until(time.Second, "lb1 exits", func() bool { return l.nodes["lb1"].exited })
}

func TestAGrantFromBeforeASilenceIsIgnored(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb2 := l.nodes["lb2"]
	old := lb2.stream
	l.freeze("lb2")
	l.run(time.Second)
	g := Grant{Epoch: 1}
	lb2.held = append([]Input{Message{Stream: old, Data: EncodeGrant(g, Version)}}, lb2.held...)
	l.thaw("lb2")
	l.run(50 * time.Millisecond)
	l.wantRoles("Master", "Backup")
}

// An epoch identifies one term of one node. Each claim has its own epoch, larger than all
// earlier ones, however often the role moves.
func TestEachClaimRaisesTheEpoch(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	from, to := "lb1", "lb2"
	for range 10 {
		before := l.nodes[from].node.Epoch()
		l.handOver(from, to)
		if after := l.nodes[to].node.Epoch(); after != before+1 {
			t.Errorf("%s claims with epoch %d after epoch %d", to, after, before)
		}
		from, to = to, from
	}
}

// TestAPeerThatHasWithdrawnIsNotHeard: its last packets say that it ends. Their detection time, which is long as the
// session is Down, says nothing about it.
func TestAPeerThatHasWithdrawnIsNotHeard(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.step(l.nodes["lb2"], Stop{})
	l.until(time.Second, "lb2 exits", func() bool { return l.nodes["lb2"].exited })
	l.kill("lb2")
	for ended := l.now; l.now.Sub(ended) < 2*labDetect; {
		l.run(labTx / 5)
		if s := l.nodes["lb1"].node.Status(); s.Peer.Heard || s.Role != "Master" {
			t.Errorf("%v after its peer has ended lb1 is %s, and hears it: %v", l.now.Sub(ended), s.Role, s.Peer.Heard)
		}
	}
}

// TestAHandoverRightAfterAPause: the request waited while the MASTER was paused, for less than its lease.
func TestAHandoverRightAfterAPause(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	l.freeze("lb1")
	l.run(40 * time.Millisecond)
	l.step(lb1, Handover{})
	l.thaw("lb1")
	masterWithin(l, "lb2", 20*time.Millisecond)
	if !strings.Contains(l.transcript(), "granted by the MASTER") {
		t.Errorf("not by a grant:\n%s", l.transcript())
	}
}

// TestANodeThatLeavesWaitsFromItsGrantOn: the handover has taken long, and the peer needs time to claim.
func TestANodeThatLeavesWaitsFromItsGrantOn(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1, lb2 := l.nodes["lb1"], l.nodes["lb2"]
	lb2.holdDone = true
	l.open("lb1", 1)
	l.step(lb1, Stop{})
	l.run(LeaveLimit - 20*time.Millisecond)
	l.wantRoles("Yielding", "Backup")
	l.release("lb2")
	lb2.holdDone = true
	l.until(10*time.Millisecond, "lb2 claims", func() bool { return l.role("lb2") == "Claiming" })
	l.run(LeaveLimit / 2)
	if lb1.exited {
		t.Errorf("lb1 exits while its peer claims:\n%s", l.transcript())
	}
	l.release("lb2")
	l.until(10*time.Millisecond, "lb1 exits", func() bool { return lb1.exited })
	l.wantRoles(l.role("lb1"), "Master")
}

// TestARequestForTheRoleIsRepeated: the MASTER may have had a reason to refuse the first.
func TestARequestForTheRoleIsRepeated(t *testing.T) {
	l := newPair(t, func(c *Config) { c.Preempt = PreemptAfterSync })
	l.crash("lb1")
	masterWithin(l, "lb2", labDetect+5*time.Millisecond)
	requests := 0
	l.loseSync = func(_ *labNode, frame []byte) bool {
		if frame[0] == TypeRequest {
			requests++
			return requests <= 2
		}
		return false
	}
	l.boot("lb1")
	l.until(2*time.Second, "a request", func() bool { return requests > 0 })
	masterWithin(l, "lb1", 2*YieldLimit+20*time.Millisecond)
	if requests != 3 {
		t.Errorf("lb1 asked %d times in two limits, want 3", requests)
	}
}
