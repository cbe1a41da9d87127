package node_test

import (
	"testing"
	"time"

	. "baton/impl/node"
)

// A node hears its peer only on the stream, and the peer is killed. The node forwards soon
// after the peer's lease has expired, not before.
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
	killed.down = true // its kernel closes the stream, and its dataplane forwards until the lease ends
	l.step(left, Stream{ID: left.stream, Why: "closed by the peer"})
	left.stream = 0
	l.until(2*labDetect, "lb2 is Master", func() bool { return l.role("lb2") == "Master" })
	if l.now < killed.lease {
		t.Errorf("lb2 forwards %v before lb1's lease has run out", killed.lease.Sub(l.now))
	}
}
