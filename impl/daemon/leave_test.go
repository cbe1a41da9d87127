package daemon

import (
	"errors"
	"testing"
	"time"

	"baton/impl/flow"
	"baton/impl/node"
)

// A flow leaves its backend. Its entry changed just before the removal, and a packet opened another
// removed flow anew just after: the core learns both before the removal.
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

// A flow that no longer has to leave when its turn comes stays: its connection was established since the
// table was read.
func TestAFlowThatWasEstablishedMeanwhileStays(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	b.driver.CarryOut(&node.Lease{Until: b.now().Add(time.Hour)})
	read, leaves := entry(1), entry(2)
	read.State, leaves.State = flow.SynSent, flow.SynSent
	now := read
	now.State = flow.Established
	b.dp.table[read.Original], b.dp.table[leaves.Original] = now, leaves
	b.remove([]flow.Entry{read, leaves}, func(e flow.Entry) bool { return e.State == flow.SynSent })
	b.settle(t, "told", func() bool { return len(b.answers()) == 1 })
	if got := b.answers()[0].(node.Flows).Events; len(got) != 1 || !got[0].Deleted || got[0].Entry.Original != leaves.Original {
		t.Errorf("told: %v; want that the second flow is gone", got)
	}
	if _, kept := b.dp.table[read.Original]; !kept || len(b.dp.table) != 1 {
		t.Errorf("the table has %v", b.dp.table)
	}
}

// If the node cannot see whether a removed flow is gone, it reads the table again.
func TestAFlowThatCannotBeLookedUpIsReadAgain(t *testing.T) {
	b := newBench(t, every(2*time.Millisecond, 3))
	b.dp.lookupFails = errors.New("no memory")
	if !b.tellGone([]flow.Entry{entry(1)}) {
		t.Error("the removal is to be told again")
	}
	if items := b.inbox.take(nil); len(items) != 1 || items[0].input != (node.Lost{}) {
		t.Errorf("posted %+v, want that events are lost", items)
	}
	if told := b.answers(); len(told) > 0 {
		t.Errorf("told %v", told)
	}
}
