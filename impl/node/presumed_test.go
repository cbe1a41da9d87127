package node_test

import (
	"testing"
	"time"

	. "baton/impl/node"
)

// TestADoubtTakesBackWhatAClaimPresumed: the MASTER hands over, and nothing that the new one sends arrives, since shortly before. Packets are on their
// way for longer than the next claim is signalled, so that the lease must end before it.
func TestADoubtTakesBackWhatAClaimPresumed(t *testing.T) {
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
