package daemon

import (
	"testing"
	"time"

	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/node"
)

// TestANodeThatLeavesReportsItsLastRefusals: the last tick may be a second ago, and no later
// process reads the counts.
func TestANodeThatLeavesReportsItsLastRefusals(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	var told []uint64
	b.loop.refusals.tell = func(_ flow.Service, why dataplane.Drop, count uint64) {
		if why != dataplane.DropNoPort {
			t.Errorf("told %v", why)
		}
		told = append(told, count)
	}
	b.tick() // the first counts may be those of an earlier process
	b.dp.noPort = 4
	b.tick()
	b.dp.noPort = 7
	b.inbox.post(node.Stop{})
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || told[0] != 4 || told[1] != 3 {
		t.Errorf("told %v, want 4 by the tick and 3 at the end", told)
	}
}
