package node_test

import (
	"testing"
	"time"

	. "baton/impl/node"
)

// TestANodeThatReturnsUnheardHearsItsPeer: a node is stopped and started again, and what it sends begins to get lost
// meanwhile. Its new process hears the MASTER, although the MASTER cannot hear that it is another one.
func TestANodeThatReturnsUnheardHearsItsPeer(t *testing.T) {
	for _, stopped := range []string{"lb1", "lb2"} {
		for away := 50 * time.Millisecond; away < 3*time.Second; away += 150 * time.Millisecond {
			l := newPair(t)
			l.run(time.Second)
			stays := l.nodes[l.nodes[stopped].peer].cfg.ID
			l.step(l.nodes[stopped], Stop{})
			l.until(2*time.Second, "it exits", func() bool { return l.nodes[stopped].exited })
			l.kill(stopped)
			l.run(labTx)
			l.filterBFD(stopped)
			l.dropStreams(true)
			l.run(away)
			l.boot(stopped)
			l.run(5 * time.Second) // the lab ends a test in which both forward
			if l.role(stays) != "Master" || l.role(stopped) == "Master" {
				t.Errorf("%s, away for %v: lb1 %s, lb2 %s", stopped, away, l.role("lb1"), l.role("lb2"))
			}
		}
	}
}
