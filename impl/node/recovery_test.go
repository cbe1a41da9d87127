package node_test

import (
	"testing"
	"time"

	. "baton/impl/node"
)

// carrier gives a node's service link carrier, or takes it.
func (l *lab) carrier(id string, up bool) {
	l.step(l.nodes[id], Link{Name: "client0", Up: up, MAC: labMAC(id, 0)})
}

// endStream ends the stream at both nodes, and keeps them from connecting again.
func (l *lab) endStream() {
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	for _, n := range l.nodes {
		l.step(n, Stream{ID: n.stream, Why: "connection reset"})
		n.stream = 0
	}
}

// TestTwoNodesThatRecoverTogether: neither can serve, and they have no stream. Both recover, and each claims beside a peer
// that, as it has heard last, cannot serve. Packets are on their way for up to a tenth of the detection time, or those of
// the first are lost.
func TestTwoNodesThatRecoverTogether(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for transit := time.Duration(0); transit < labDetect/10; transit += 7 * time.Millisecond {
			for later := time.Duration(0); later < labDetect; later += 7 * time.Millisecond {
				l := newPair(t)
				l.slow = transit
				l.endStream()
				l.run(labHold)
				l.carrier("lb1", false)
				l.carrier("lb2", false)
				l.run(labHold)
				if lost {
					l.filterBFD("lb2")
				}
				l.carrier("lb2", true)
				l.run(later)
				l.carrier("lb1", true)
				l.until(10*time.Second, "a MASTER", func() bool { return l.forwarders() > 0 })
				l.run(2 * labDetect) // the lab fails if both forward
			}
		}
	}
}

// TestAClaimBesideAPeerThatHasJustFailed: a node that could serve all the time does not signal its claim for long.
func TestAClaimBesideAPeerThatHasJustFailed(t *testing.T) {
	l := newPair(t)
	l.endStream()
	l.run(2 * time.Second)
	l.carrier("lb1", false)
	l.until(labTx, "lb2 is Master", func() bool { return l.role("lb2") == "Master" })
}

// TestANodeThatRecoversBesideAPeerThatIsNotHeard: a MASTER fails, and its peer, of which nothing arrives, claims at once and
// freezes. The former MASTER recovers, finds its peer silent, and signals its claim until the lease of the frozen one is over.
func TestANodeThatRecoversBesideAPeerThatIsNotHeard(t *testing.T) {
	took := 0
	for before := time.Duration(0); before < labDetect; before += 9 * time.Millisecond {
		for later := time.Duration(0); later < labDetect; later += 9 * time.Millisecond {
			l := newPair(t, jitter(int(before+later)))
			l.run(time.Second)
			l.drop("lb2", true)
			l.run(before)
			l.carrier("lb1", false)
			l.run(labTx)
			l.carrier("lb1", true)
			l.run(later)
			if l.nodes["lb2"].lease > l.now {
				took++
			}
			l.freeze("lb2")
			l.run(3 * labDetect) // the lab ends a test in which both forward
		}
	}
	if took < 30 {
		t.Errorf("lb2 had the role %d times", took)
	}
}
