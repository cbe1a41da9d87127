package node_test

import (
	"testing"
	"time"

	"baton/impl/clock"
	. "baton/impl/node"
)

// A node hears its peer only on the stream, and the peer is killed. The node forwards soon
// after the peer's lease has expired, not before.
func TestTheEndOfAStreamIsNotYetSilence(t *testing.T) {
	l := newPair(t)
	l.filterBFD("lb1")
	l.filterBFD("lb2")
	l.run(10 * time.Second)
	l.wantRoles("Master", "Backup")
	killed, left := l.nodes["lb1"], l.nodes["lb2"]
	killed.down = true // its kernel closes the stream, and its dataplane forwards until the lease ends
	l.step(left, Stream{ID: left.stream, Why: "closed by the peer"})
	left.stream = 0
	l.until(2*labDetect, "lb2 is Master", func() bool { return l.role("lb2") == "Master" })
	if l.now < killed.lease {
		t.Errorf("lb2 forwards %v before lb1's lease has run out", killed.lease.Sub(l.now))
	}
}

// TestAFilteredPeerThatIsKilledForwardsUntilItsLeaseEnds: its BFD packets are lost since shortly before, so that its
// sessions are still Up when its stream ends.
func TestAFilteredPeerThatIsKilledForwardsUntilItsLeaseEnds(t *testing.T) {
	for filtered := time.Duration(0); filtered < 2*labDetect; filtered += 7 * time.Millisecond {
		l := newPair(t)
		l.run(time.Second)
		l.filterBFD("lb1")
		l.run(filtered)
		killed := l.nodes["lb1"]
		l.kill("lb1")
		l.until(3*labDetect, "lb2 is Master", func() bool { return l.role("lb2") == "Master" })
		if l.now < killed.lease {
			t.Errorf("filtered %v before: lb2 forwards %v before lb1's lease has run out", filtered, killed.lease.Sub(l.now))
		}
	}
}

// TestAWithdrawalOfAnEarlierProcessIsNone: lb1 was stopped and has come back, heard on the stream alone. Then it is killed.
func TestAWithdrawalOfAnEarlierProcessIsNone(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.step(l.nodes["lb1"], Stop{})
	l.until(time.Second, "lb1 exits", func() bool { return l.nodes["lb1"].exited })
	l.kill("lb1")
	l.filterBFD("lb1")
	l.filterBFD("lb2")
	l.run(time.Second)
	l.boot("lb1")
	l.connect()
	l.run(10 * time.Second)
	l.step(l.nodes["lb2"], Handover{})
	l.run(time.Second)
	l.wantRoles("Master", "Backup")
	killed := l.nodes["lb1"]
	l.kill("lb1")
	l.until(3*labDetect, "lb2 is Master", func() bool { return l.role("lb2") == "Master" })
	if l.now < killed.lease {
		t.Errorf("lb2 forwards %v before lb1's lease has run out", killed.lease.Sub(l.now))
	}
}

// standing boots two nodes that never get a stream.
func standing(t *testing.T) *lab {
	l := newLab(t)
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.boot("lb1")
	l.boot("lb2")
	return l
}

// standoff returns when lb1 claims of two such nodes.
func standoff(t *testing.T) clock.Instant {
	l := standing(t)
	l.until(10*time.Second, "a claim", func() bool { return l.role("lb1") == "Claiming" })
	return l.now
}

// TestAClaimBesideAPeerThatNoLongerHears: two nodes without a stream stand by, and lb1 claims as it is its turn. Its packets
// are lost since shortly before, and it freezes as soon as it forwards, or a little later.
func TestAClaimBesideAPeerThatNoLongerHears(t *testing.T) {
	claims := standoff(t)
	for before := time.Duration(0); before < labDetect; before += 7 * time.Millisecond {
		for _, later := range []time.Duration{0, labTx / 2, labTx} {
			l := standing(t)
			l.run(claims.Sub(l.now) - before)
			l.filterBFD("lb1")
			l.until(5*time.Second, "a MASTER", func() bool { return l.forwarders() > 0 })
			l.run(later)
			l.freeze("lb1")
			l.run(2 * labDetect) // the lab fails if both forward
		}
	}
}

// TestAStandoffWaitsForAPeerThatHears: a claim beside a peer that says that it hears nothing would be lost at once.
func TestAStandoffWaitsForAPeerThatHears(t *testing.T) {
	claims := standoff(t)
	l := standing(t)
	l.run(claims.Sub(l.now) - 2*labTx)
	l.filterBFD("lb1")
	claimed := l.mark("lb1")
	l.until(labDetect+labTx, "lb2 claims", func() bool { return l.role("lb2") == "Claiming" })
	if changes := claimed(); len(changes) > 0 {
		t.Errorf("lb1, which is not heard: %v", changes)
	}
}

// TestAMasterThatClosedItsStreamFreezes: it hears nothing any more, closes its stream, and serves with a lease that no
// detection time limits. The BACKUP was told of the end, and waits longer than that lease.
func TestAMasterThatClosedItsStreamFreezes(t *testing.T) {
	for later := time.Duration(0); later < labTx; later += 7 * time.Millisecond {
		l := newPair(t)
		l.run(time.Second)
		l.filterBFD("lb1")
		l.filterBFD("lb2")
		l.dropSync["lb2"] = true
		l.until(3*labDetect, "the stream ends", func() bool { return l.nodes["lb1"].stream == 0 })
		l.run(later)
		l.freeze("lb1")
		lease := l.nodes["lb1"].lease
		l.until(3*labDetect, "lb2 is Master", func() bool { return l.role("lb2") == "Master" })
		if l.now < lease {
			t.Errorf("frozen %v after the end of the stream: lb2 forwards %v before lb1's lease has run out", later, lease.Sub(l.now))
		}
	}
}
