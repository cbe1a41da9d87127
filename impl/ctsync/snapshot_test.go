package ctsync

import (
	"bytes"
	"math"
	"testing"
	"time"

	"baton/impl/flow"
)

// Changes during a snapshot reach the sink, whether their flow was sent before or not.
func TestDeltasDuringSnapshot(t *testing.T) {
	p := newPair(t, Config{BatchEntries: 4, Window: 8})
	p.master(p.a, 1)
	p.fill(p.a, 0, 600)
	p.a.poll(p.now)
	p.connect()
	changes, rows := 0, 0
	for ; !p.a.feed.marked; changes++ {
		if changes > 1000 {
			t.Fatal("the snapshot never ends")
		}
		p.collect()
		p.deliver(p.a)
		for range 4 {
			p.deliver(p.b)
		}
		p.b.apply(p.now)
		// Flows that were sent, that will be sent, and new ones as fast as rows are sent.
		p.a.change(entryOf(changes%600, flow.FinWait, 12), changes%3 == 0)
		p.a.change(entryOf(600-changes%600, flow.FinWait, 12), changes%3 == 0)
		for n := range 8 {
			p.a.change(entryOf(1000+8*changes+n, flow.Established, 12), false)
		}
		p.a.poll(p.now)
		rows = p.a.feed.entries
	}
	p.run()
	p.synced(p.a)
	if rows >= 600 {
		t.Errorf("%d rows for less than 600 flows that did not change before their turn", rows)
	}
	if p.b.stats.Mismatches != 0 || p.a.stats.Snapshots != 1 || changes < 20 {
		t.Errorf("after %d changes: source %+v, sink %+v", changes, p.a.stats, p.b.stats)
	}
}

// Entries that the snapshot does not hold are deleted at its mark, not earlier.
func TestStaleEntriesGoAtTheMark(t *testing.T) {
	p := inSyncPair(t, small, 40)
	p.restart(p.a, 0xa2, false)
	p.master(p.a, 2)
	p.fill(p.a, 30, 60)
	p.a.poll(p.now)
	p.connect()
	for p.a.collectUntilMark(p) {
		if _, ok := p.b.flows[entryOf(3, 0, 0).Original]; !ok {
			t.Fatal("a flow was deleted before the snapshot was complete")
		}
	}
	for len(p.ab) > 0 {
		p.deliver(p.b)
	}
	for p.collect(); len(p.b.batch) > 0; p.collect() {
		expect(t, p.b.Engine, false, "")
		p.b.applyOne(p.now)
	}
	p.run()
	p.synced(p.a)
	if p.b.Len() != 30 {
		t.Fatalf("%d flows, want 30", p.b.Len())
	}
}

// collectUntilMark moves one message each way and reports whether the mark is still to come.
func (n *node) collectUntilMark(p *pair) bool {
	p.collect()
	p.deliver(p.a)
	if len(p.ab) > 0 && p.ab[0][0] == typeMark {
		return false
	}
	p.deliver(p.b)
	for len(p.b.batch) > 0 {
		p.b.applyOne(p.now)
	}
	return true
}

// An incomplete snapshot is no base: neither for the next round, nor for a term of
// its holder as source.
func TestHalfASnapshot(t *testing.T) {
	half := func(t *testing.T) *pair {
		p := newPair(t, small)
		p.master(p.a, 1)
		p.fill(p.a, 0, 100)
		p.run()
		p.connect()
		for range 8 {
			p.collect()
			p.deliver(p.a)
			p.deliver(p.b)
			p.b.apply(p.now)
		}
		if phase := p.b.Progress().Phase; phase != PhaseSnapshot {
			t.Fatal(phase)
		}
		p.cut()
		return p
	}
	t.Run("for the sink", func(t *testing.T) {
		p := half(t)
		p.connect()
		p.run()
		p.synced(p.a)
		if got := p.a.stats; got.Snapshots != 2 || got.Resumes != 0 {
			t.Errorf("%+v, want a second snapshot", got)
		}
	})
	t.Run("for the source that it becomes", func(t *testing.T) {
		p := half(t)
		p.master(p.b, 2)
		p.connect()
		p.run()
		p.synced(p.b)
		if got := p.b.stats; got.Snapshots != 1 || got.Resumes != 0 {
			t.Errorf("%+v, want a snapshot", got)
		}
	})
}

// One Ready does a bounded part of a walk over the table and asks to be called again.
func TestWorkIsBounded(t *testing.T) {
	const flows = 4 * scanStep
	p := newPair(t, Config{BatchEntries: 512})
	p.master(p.a, 1)
	p.fill(p.a, 0, flows)
	for i := 1; i < flows; i++ {
		p.a.change(entryOf(i, 0, 0), true)
	}
	p.a.poll(p.now)
	p.connect()
	p.run()
	p.synced(p.a)
	p.cut()
	p.connect()
	p.restart(p.b, 0xb2, false)
	p.connect()
	p.deliver(p.a)
	p.deliver(p.b)
	p.collect()
	p.deliver(p.a)
	p.a.Ready()
	if p.a.feed.cursor == 0 || p.a.Deadline() != p.now {
		t.Errorf("at slot %d after one step, next at %d", p.a.feed.cursor, p.a.Deadline())
	}
}

// The same inputs give the same bytes.
func TestDeterministic(t *testing.T) {
	play := func() (all []byte) {
		p := newPair(t, small)
		p.onSend = func(_ *node, msg []byte) { all = append(all, msg...) }
		p.master(p.a, 1)
		p.fill(p.a, 0, 200)
		p.connect()
		p.run()
		p.b.damage(entryOf(3, 0, 0), true)
		p.sleep(10 * time.Second)
		p.master(p.b, 2)
		p.fill(p.b, 100, 300)
		p.sleep(10 * time.Second)
		p.synced(p.b)
		return all
	}
	if !bytes.Equal(play(), play()) {
		t.Error("two runs differ")
	}
}

// Lifetimes are transferred to the millisecond, and are not part of digests.
func TestLifetimes(t *testing.T) {
	p := newPair(t, small)
	p.master(p.a, 1)
	lifetimes := []time.Duration{0, 1, time.Millisecond, 30 * time.Second, 2 * time.Hour, math.MaxInt64, -5}
	want := []time.Duration{0, time.Millisecond, time.Millisecond, 30 * time.Second, 2 * time.Hour, (1<<32 - 1) * time.Millisecond, 0}
	for i, d := range lifetimes {
		entry := entryOf(i, flow.Established, 11)
		entry.Remaining = d
		p.a.change(entry, false)
	}
	p.connect()
	p.run()
	p.synced(p.a)
	for i := range lifetimes {
		if got, _ := p.b.Lookup(entryOf(i, 0, 0).Original); got.Remaining != want[i] || got.Origin != flow.Synced {
			t.Errorf("%v arrives as %v, want %v", lifetimes[i], got.Remaining, want[i])
		}
	}
}
