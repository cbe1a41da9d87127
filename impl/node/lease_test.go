package node_test

import (
	. "baton/impl/node"
	"testing"
	"time"
)

// A node whose lease was long because of its peer's slow receiver does not spin when the peer
// is gone and its lease becomes shorter: the lab fails on a timer without effect.
func TestAShorterLeaseAfterThePeersEndCausesNoIdleTimers(t *testing.T) {
	l := newPair(t, func(c *Config) {
		if c.ID == "lb2" {
			for i := range c.Paths {
				c.Paths[i].BFD.RequiredMinRxInterval = 4 * labTx
			}
		}
	})
	l.crash("lb2")
	l.run(2 * time.Second)
	if got := l.nodes["lb1"].node.Role().String(); got != "Master" {
		t.Errorf("lb1 is %s", got)
	}
}

// Frequent inputs do not make a lonely node write its lease each time.
func TestFrequentInputsDoNotRewriteTheLeaseOfALonelyNode(t *testing.T) {
	l := newPair(t, tracking)
	l.crash("lb2")
	l.run(2 * time.Second)
	lb1 := l.nodes["lb1"]
	writes := func() (n int) {
		for _, e := range l.log {
			if e.Node == "lb1" && e.Lease != nil {
				n++
			}
		}
		return n
	}
	before := writes()
	if before == 0 {
		t.Fatal("no lease is on record")
	}
	for range 100 {
		l.step(lb1, Probe{Target: "router", Answered: true})
		l.run(100 * time.Microsecond)
	}
	if n := writes() - before; n > 1 {
		t.Errorf("the lease was written %d times in 10ms", n)
	}
}
