package node_test

import (
	"testing"
	"time"

	. "baton/impl/node"
)

// TestServingByBFDOverridesAnOlderStateOfTheStream: the peer has lost the stream and says by BFD that
// it serves. This node has not noticed the loss; the last state on the stream says standby.
func TestServingByBFDOverridesAnOlderStateOfTheStream(t *testing.T) {
	l := newLab(t, tracking, func(c *Config) { c.Priority = 250 - c.Priority }) // lb2 ranks above
	l.boot("lb1")
	l.boot("lb2")
	l.connect()
	l.run(3 * time.Second)
	l.probe("lb1", false)
	l.probe("lb2", false)
	l.run(3 * time.Second) // neither can serve
	lb1 := l.nodes["lb1"]
	lb1.stream = 0
	l.step(lb1, Stream{ID: l.streams, Why: "lost"})
	l.probe("lb1", true)
	l.run(5 * time.Millisecond)
	l.wantRoles("Claiming", "Backup")
	l.probe("lb2", true)
	l.run(5 * time.Millisecond)
	l.wantRoles("Claiming", "Backup")
	l.run(labDetect)
	l.wantRoles("Master", "Backup")
}
