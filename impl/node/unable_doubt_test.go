package node_test

import (
	. "baton/impl/node"
	"testing"

	"baton/impl/bfd"
)

// A node that cannot serve sends that diagnostic, and doubts its peer only by Polls: diagDoubt would
// mean that it could serve.
func TestANodeThatCouldNotServeSaysSoWhileItDoubts(t *testing.T) {
	l := newPair(t, func(c *Config) { c.Track = Track{Targets: []string{"b1"}, Misses: 1} })
	l.probe("lb2", false)
	l.run(labDetect)
	l.dropBFD["lb1 clients"], l.dropBFD["lb1 sync"], l.dropSync["lb1"] = true, true, true
	polls := 0
	l.lose = func(n *labNode, packet []byte) bool {
		p, err := bfd.Parse(packet)
		if err != nil {
			t.Fatal(err)
		}
		if n.id == "lb2" && p.State == bfd.Up {
			if p.Poll {
				polls++
			}
			if p.Diag != bfd.DiagConcatenatedPathDown {
				t.Errorf("at %v lb2 says %v, poll %v", l.now, p.Diag, p.Poll)
			}
		}
		return false
	}
	l.run(labDetect)
	if polls == 0 {
		t.Errorf("lb2 has not doubted:\n%s", l.transcript())
	}
}
