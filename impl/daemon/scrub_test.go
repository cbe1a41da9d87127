package daemon

import (
	"testing"
	"time"

	"baton/impl/flow"
	"baton/impl/node"
)

// TestAWalkWaitsForTheReportOfASweep: the core must know which flows are gone before the walk
// misses them. Meanwhile no scan starts that would delay the walk forever.
func TestAWalkWaitsForTheReportOfASweep(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	const swept = 100*maxEvents + 1
	for i := range swept {
		b.dp.toBeSwept = append(b.dp.toBeSwept, entry(1+i))
	}
	b.dp.hold = make(chan struct{})
	b.driver.CarryOut(node.Expire{On: true})
	b.tick()
	b.driver.CarryOut(node.Walk{ID: 1 << 40})
	dumped := false
	b.scans.dump(b.loop, func([]flow.Entry, error) { dumped = true })
	close(b.dp.hold)
	gone := 0
	b.settle(t, "walked", func() bool {
		for in, ok := b.driver.Next(); ok; in, ok = b.driver.Next() {
			switch in := in.(type) {
			case node.Flows:
				gone += len(in.Events)
			case node.Done:
				if in.ID == 1<<40 && gone != swept {
					t.Errorf("walked after %d of %d flows were told of", gone, swept)
				}
				return in.ID == 1<<40
			}
		}
		return false
	})
	b.settle(t, "dumped", func() bool { return dumped })
}
