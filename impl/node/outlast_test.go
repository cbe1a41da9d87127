package node_test

import (
	"testing"
	"time"

	. "baton/impl/node"
)

// A node that hears its peer on the stream alone, and whose peer is killed, does not
// forward before the peer's lease has run out, and does so soon after.
func TestTheEndOfAStreamIsNotYetSilence(t *testing.T) {
	l := newPair(t)
	for _, id := range []string{"lb1", "lb2"} {
		for _, p := range l.nodes[id].cfg.Paths {
			l.dropBFD[id+" "+p.Name] = true
		}
	}
	l.run(10 * time.Second)
	l.wantRoles("Master", "Backup")
	killed, left := l.nodes["lb1"], l.nodes["lb2"]
	killed.down = true // its kernel closes the stream, and its dataplane forwards on until the lease ends
	l.step(left, Stream{ID: left.stream, Why: "closed by the peer"})
	left.stream = 0
	l.until(2*labDetect, "lb2 is Master", func() bool { return l.role("lb2") == "Master" })
	if l.now < killed.lease {
		t.Errorf("lb2 forwards %v before lb1's lease has run out", killed.lease.Sub(l.now))
	}
}
