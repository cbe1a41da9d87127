package daemon

import (
	"testing"
	"time"

	"baton/impl/flow"
	"baton/impl/node"
)

// A flow leaves its backend. Its entry changed just before, and a packet opened another one anew just
// after: the core hears of both before it hears of the removal.
func TestEventsFromBeforeALeaveAreToldBeforeIt(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	b.driver.CarryOut(&node.Lease{Until: b.now().Add(time.Hour)})
	left, reopened := entry(1), entry(2)
	b.dp.table[left.Original] = left
	b.dp.events = []flow.Event{{Entry: left}, {Entry: reopened}}
	b.dp.onDelete = func() { b.dp.table[reopened.Original] = reopened }
	b.dp.table[reopened.Original] = reopened
	b.remove([]flow.Entry{left, reopened}, func(flow.Entry) bool { return true })
	b.settle(t, "told", func() bool { return len(b.answers()) == 2 })
	if got := b.answers()[0].(node.Flows).Events; len(got) != 2 || got[0].Deleted || got[1].Deleted {
		t.Errorf("told first: %v; want the two changes", got)
	}
	if got := b.answers()[1].(node.Flows).Events; len(got) != 1 || !got[0].Deleted || got[0].Entry.Original != left.Original {
		t.Errorf("told then: %v; want that the first flow is gone", got)
	}
}
