package node_test

import (
	. "baton/impl/node"
	"testing"
	"time"
)

// A node whose lease its peer's slow receiver had bounded does not spin when the peer
// is gone, and its lease is shorter: the lab fails for a timer of which nothing comes.
func TestALonelyLeaseIsNotRenewedInVain(t *testing.T) {
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
