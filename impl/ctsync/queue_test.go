package ctsync

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// A failed batch is not acked, closes InSync, and is repeated with the current
// state of its flows.
func TestFailedApply(t *testing.T) {
	p := inSyncPair(t, Config{}, 10)
	p.b.fail = 1
	p.a.change(entryOf(0, flow.FinWait, 11), false)
	p.a.change(entryOf(1, flow.FinWait, 11), false)
	p.run()
	expect(t, p.b.Engine, false, "apply failed: map is full")
	if p.a.Acked() != 10 || p.a.PeerInSync() {
		t.Fatalf("acked %d, want 10", p.a.Acked())
	}
	p.a.change(entryOf(0, flow.Closed, 11), false)
	p.a.change(entryOf(1, 0, 11), true)
	p.run()
	if p.a.Acked() != 10 {
		t.Fatalf("acked %d over a failed batch", p.a.Acked())
	}
	if p.b.Deadline() != p.now.Add(p.b.cfg.Retry) {
		t.Fatal("nobody will retry")
	}
	p.now = p.b.Deadline()
	p.b.Advance(p.now)
	p.collect()
	expect(t, p.b.Engine, false, "apply failed") // until it has succeeded
	p.sleep(time.Second)
	p.synced(p.a)
	if p.a.Acked() != 14 || p.b.stats.ApplyFailures != 1 {
		t.Errorf("acked %d, %+v", p.a.Acked(), p.b.stats)
	}
}

// The batches of a message hold the final state of each flow, deletions first, so
// that a reply tuple may pass from one flow to another.
func TestBatchesAreReduced(t *testing.T) {
	p := inSyncPair(t, Config{}, 3)
	next := entryOf(50, flow.SynSent, 11)
	next.Reply = entryOf(0, 0, 11).Reply
	p.a.change(entryOf(0, 0, 0), true)
	p.a.change(next, false)
	p.a.change(entryOf(1, flow.FinWait, 11), false)
	p.a.change(entryOf(1, 0, 0), true)
	p.a.change(entryOf(1, flow.SynSent, 12), false)
	p.a.change(entryOf(60, flow.SynSent, 12), false)
	p.a.change(entryOf(60, 0, 0), true)
	p.a.change(entryOf(2, flow.Established, 12), false) // another backend without a deletion
	p.a.poll(p.now)
	p.collect()
	p.deliver(p.b)
	p.collect()
	if len(p.b.batch) != 2 || len(p.b.batch[0].Entries)+len(p.b.batch[1].Deletes) != 0 {
		t.Fatalf("%+v, want deletions, then entries", p.b.batch)
	}
	entries, deletes := map[flow.Tuple]flow.Entry{}, map[flow.Tuple]bool{}
	for _, entry := range p.b.batch[1].Entries {
		if _, twice := entries[entry.Original]; twice {
			t.Errorf("%s twice", entry.Original)
		}
		entries[entry.Original] = entry
	}
	for _, d := range p.b.batch[0].Deletes {
		deletes[d] = true
	}
	if len(entries) != 3 || entries[next.Original].State != flow.SynSent ||
		entries[entryOf(1, 0, 0).Original].Reply != entryOf(1, 0, 12).Reply {
		t.Errorf("entries %v", entries)
	}
	for _, i := range []int{0, 1, 2, 60} {
		if !deletes[entryOf(i, 0, 0).Original] {
			t.Errorf("flow %d is not deleted first", i)
		}
	}
	p.b.applyOne(p.now)
	if got := p.b.AppliedSeq(); got != 3 {
		t.Errorf("applied %d after the deletions alone, want 3", got)
	}
	p.run()
	p.synced(p.a)
}

// A repeated batch undoes nothing that was applied since.
func TestARepeatedBatchDoesNotUndoLaterChanges(t *testing.T) {
	p := inSyncPair(t, Config{}, 10)
	p.b.fail = 2
	p.a.change(entryOf(0, flow.FinWait, 11), false)
	p.a.change(entryOf(1, flow.FinWait, 11), false)
	p.a.change(entryOf(2, 0, 0), true)
	p.a.change(entryOf(3, 0, 0), true)
	p.run() // two batches fail
	p.a.change(entryOf(0, flow.Closed, 11), false)
	p.a.change(entryOf(1, 0, 0), true)
	p.a.change(entryOf(2, flow.SynSent, 12), false)
	p.run()
	want := len(p.b.flows)
	p.now = p.b.Deadline()
	p.b.Advance(p.now)
	p.collect()
	if len(p.b.batch) != 2 || len(p.b.batch[0].Deletes) != 1 || len(p.b.batch[1].Entries) != 1 {
		t.Fatalf("%+v, want flow 3 deleted, and flow 0 as it is by now", p.b.batch)
	}
	p.run()
	p.synced(p.a)
	if len(p.b.flows) > want {
		t.Errorf("%d flows, %d before the retry", len(p.b.flows), want)
	}
}

// apply applies all batches that were handed out.
func (n *node) apply(now clock.Instant) {
	for len(n.batch) > 0 {
		n.applyOne(now)
	}
}
