package node_test

import (
	"testing"
	"time"
)

// TestTheMasterOfEachTermAgesItsEntries: its peer does not.
func TestTheMasterOfEachTermAgesItsEntries(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	for range 2 {
		for _, roles := range [][2]string{{"lb1", "lb2"}, {"lb2", "lb1"}} {
			master, backup := roles[0], roles[1]
			if !l.nodes[master].expire || l.nodes[backup].expire {
				t.Fatalf("%s is MASTER and ages its entries: %v; %s: %v", master, l.nodes[master].expire, backup, l.nodes[backup].expire)
			}
			l.handOver(master, backup)
			l.run(time.Second)
		}
	}
}
