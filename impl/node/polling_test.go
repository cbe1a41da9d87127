package node_test

import (
	"testing"
	"time"

	. "baton/impl/node"
)

// TestAClaimByGrantCountsOnProofAlone: the MASTER hands over, and nothing that the new one sends arrives, since shortly before. Packets are on their
// way for longer than the next claim is signalled, so that the lease must end before it.
func TestAClaimByGrantCountsOnProofAlone(t *testing.T) {
	for _, transit := range []time.Duration{4 * time.Millisecond, 8 * time.Millisecond} {
		for phase := time.Duration(0); phase < labTx; phase += time.Millisecond {
			l := newPair(t)
			l.slow = transit
			l.run(time.Second + phase)
			l.filterBFD("lb2")
			l.dropSync["lb2"] = true
			l.run(labTx / 2)
			l.step(l.nodes["lb1"], Handover{})
			masterWithin(l, "lb1", 3*labDetect) // the lab ends a test in which both forward
		}
	}
}

// TestAClaimThatIsDoubtedAlready: the kernel of a BACKUP refuses its heartbeats, and its MASTER, which doubts it, loses its
// carrier and says so on the stream. The claim is not taken back before the peer could have heard of it.
func TestAClaimThatIsDoubtedAlready(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	for path := range l.nodes["lb2"].cfg.Paths {
		l.nodes["lb2"].unsent[path] = true
	}
	l.run(labDetect / 2)
	l.carrier("lb1", false)
	claims := l.mark("lb2")
	l.run(labTx / 2)
	l.wantRoles("Fault", "Master")
	if changes := claims(); len(changes) > 2 {
		t.Errorf("lb2: %v", changes)
	}
}

// TestANewMasterThatIsNotHeardFreezes: the heartbeats of the BACKUP are lost, alone or with all else that it sends. Then the MASTER
// hands over, and the new one freezes. The lab ends a test in which both forward.
func TestANewMasterThatIsNotHeardFreezes(t *testing.T) {
	granted := 0
	for before := time.Duration(0); before < 2*labDetect; before += 6 * time.Millisecond {
		for later := time.Duration(0); later < labDetect; later += 9 * time.Millisecond {
			for _, stream := range []bool{true, false} {
				l := newPair(t, jitter(int(before+later)))
				l.run(time.Second)
				l.filterBFD("lb2")
				l.dropSync["lb2"] = !stream
				l.run(before)
				l.step(l.nodes["lb1"], Handover{})
				l.run(later)
				if l.nodes["lb2"].lease > l.now {
					granted++
				}
				l.freeze("lb2")
				l.run(2 * labDetect)
			}
		}
	}
	if granted < 500 {
		t.Errorf("lb2 was granted the role %d times", granted)
	}
}

// TestAClaimOfANodeThatWasDoubted: a MASTER was paused, so that its peer doubted it, and the kernel of that peer refuses its heartbeats
// since: the doubt is its last word by BFD. The former MASTER claims once, and serves.
func TestAClaimOfANodeThatWasDoubted(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	claims := l.mark("lb1")
	l.freeze("lb1")
	l.run(labTx * 6 / 5)
	for path := range l.nodes["lb2"].cfg.Paths {
		l.nodes["lb2"].unsent[path] = true
	}
	l.thaw("lb1")
	l.run(2 * labDetect)
	l.wantRoles("Master", "Backup")
	if changes := claims(); len(changes) > 3 {
		t.Errorf("lb1: %v", changes)
	}
}

// TestAHandoverTakesOneClaim: the last Poll of the former MASTER, which may wait for its answer, does not end the claim of a node
// that has not polled before.
func TestAHandoverTakesOneClaim(t *testing.T) {
	for _, pair := range []func() *lab{func() *lab { return newPair(t) }, func() *lab { return newPairAt(t, 7) }} {
		for phase := time.Duration(0); phase < labTx; phase += time.Millisecond {
			l := pair()
			l.slow = 100 * time.Microsecond // so that the Poll comes behind the grant
			l.run(time.Second + phase)
			claims := l.mark("lb2")
			l.step(l.nodes["lb1"], Handover{})
			l.run(labDetect)
			if changes := claims(); len(changes) != 2 || l.role("lb2") != "Master" {
				t.Fatalf("phase %v: lb2: %v", phase, changes)
			}
		}
	}
}
