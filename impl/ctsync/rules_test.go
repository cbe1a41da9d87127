package ctsync

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

// small is a configuration in which every limit is near.
var small = Config{BatchEntries: 4, Window: 2, JournalLen: 64, Buckets: 64}

// inSyncPair is a pair in sync, a being source in epoch 1 of so many flows.
func inSyncPair(t *testing.T, cfg Config, flows int) *pair {
	p := newPair(t, cfg)
	p.master(p.a, 1)
	p.fill(p.a, 0, flows)
	p.connect()
	p.run()
	p.synced(p.a)
	return p
}

// expect fails unless the sink's InSync is as said, for the reason given.
func expect(t *testing.T, e *Engine, want bool, why string) {
	t.Helper()
	if got, because := e.InSync(); got != want || !strings.Contains(because, why) {
		t.Fatalf("InSync %v (%s), want %v (%s)", got, because, want, why)
	}
}

func TestSnapshotThenLive(t *testing.T) {
	p := inSyncPair(t, Config{}, 10000)
	p.fill(p.a, 10000, 10100)
	for i := range 100 {
		p.a.change(entryOf(i, flow.FinWait, 11), false)
		p.a.change(entryOf(200+i, flow.Established, 11), true)
	}
	p.run()
	p.synced(p.a)
	if got := p.a.stats; got.Snapshots != 1 || got.Resumes != 0 {
		t.Errorf("%+v, want one snapshot", got)
	}
	if got, want := p.b.AppliedSeq(), p.a.Barrier(); got != want || p.a.Acked() != want {
		t.Errorf("applied %d, acked %d, barrier %d", got, p.a.Acked(), want)
	}
}

// The sink is not in sync before the mark that closes the snapshot, whatever else it has.
func TestInSyncOnlyAfterMark(t *testing.T) {
	p := newPair(t, small)
	p.master(p.a, 1)
	p.fill(p.a, 0, 50)
	p.run()
	p.connect()
	marked := false
	for p.collect(); len(p.ab)+len(p.ba) > 0 || !marked; p.collect() {
		if len(p.ab) > 0 {
			marked = marked || p.ab[0][0] == typeMark
		}
		if ok, why := p.b.InSync(); ok && !marked {
			t.Fatalf("in sync without a mark: %s", why)
		}
		if p.b.AppliedSeq() != 0 && !marked {
			t.Fatal("an applied sequence number before the table is whole")
		}
		p.deliver(p.a)
		p.deliver(p.b)
		for len(p.b.batch) > 0 {
			p.b.applyOne(p.now)
		}
	}
	p.run()
	p.synced(p.a)
}

// An empty table is in sync with an empty table, by a mark like any other.
func TestEmptySource(t *testing.T) { inSyncPair(t, small, 0) }

// What is received is acked, and counts for InSync, only when it has taken hold.
func TestAckOnlyWhatIsApplied(t *testing.T) {
	p := newPair(t, Config{})
	p.master(p.a, 1)
	p.fill(p.a, 0, 100)
	p.connect()
	exchange := func() {
		for range 10 {
			p.collect()
			p.deliver(p.a)
			p.deliver(p.b)
		}
	}
	p.a.poll(p.now)
	exchange()
	expect(t, p.b.Engine, false, "1 batches to apply")
	if p.a.PeerInSync() || p.a.feed.rowsAcked != 0 {
		t.Fatal("the source was told of something that has not taken hold")
	}
	p.run()
	p.synced(p.a)

	p.fill(p.a, 100, 110)
	p.a.poll(p.now)
	exchange()
	if p.a.Acked() != 100 || p.b.AppliedSeq() != 100 || p.b.Progress().Lag != 10 {
		t.Fatalf("acked %d, applied %d, want 100", p.a.Acked(), p.b.AppliedSeq())
	}
	p.run()
	if p.a.Acked() != 110 {
		t.Fatalf("acked %d, want 110", p.a.Acked())
	}
}

// A sink that is further behind than the limit is not in sync until it has caught up.
func TestLagLimit(t *testing.T) {
	p := inSyncPair(t, Config{LagLimit: 5}, 10)
	p.fill(p.a, 10, 16)
	p.a.poll(p.now)
	p.collect()
	p.deliver(p.b)
	expect(t, p.b.Engine, false, "lag 6 > 5")
	if p.a.PeerInSync() {
		t.Fatal("source believes that the sink is in sync")
	}
	p.run()
	p.synced(p.a)
}

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
		// Flows that were sent, will be sent, and come up as fast as rows go out.
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

// What the snapshot does not hold stays until its mark, and goes then.
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

// A short loss of the stream costs the changes of that time, nothing else.
func TestResumeFromJournal(t *testing.T) {
	p := inSyncPair(t, small, 40)
	p.cut()
	p.fill(p.a, 40, 60)
	p.a.change(entryOf(3, flow.Established, 11), true)
	p.run()
	expect(t, p.b.Engine, true, "equal to")
	p.connect()
	p.run()
	p.synced(p.a)
	if got := p.a.stats; got.Snapshots != 1 || got.Resumes != 1 {
		t.Errorf("%+v, want no second snapshot", got)
	}
}

func TestJournalOverflow(t *testing.T) {
	t.Run("while the stream is lost", func(t *testing.T) {
		p := inSyncPair(t, small, 40)
		p.cut()
		p.fill(p.a, 40, 40+small.JournalLen+1)
		p.run()
		p.connect()
		p.run()
		p.synced(p.a)
		if got := p.a.stats; got.Snapshots != 2 || got.Resumes != 0 {
			t.Errorf("%+v, want a second snapshot", got)
		}
	})
	t.Run("since the handover", func(t *testing.T) {
		p := inSyncPair(t, small, 40)
		p.cut()
		p.master(p.b, 2)
		p.fill(p.b, 40, 40+small.JournalLen+1)
		p.run()
		p.connect()
		p.run()
		p.synced(p.b)
		if got := p.b.stats; got.Snapshots != 1 || got.Resumes != 0 || got.Overflows != 0 {
			t.Errorf("%+v, want a snapshot", got)
		}
	})
	t.Run("for a sink that stalls", func(t *testing.T) {
		p := inSyncPair(t, small, 40)
		sent := 0
		p.onSend = func(from *node, msg []byte) {
			if from == p.a {
				sent += len(msg)
			}
		}
		for i := range 100 * small.JournalLen {
			p.a.change(entryOf(i%40, flow.State(1+i/40%2), 11), false)
			p.a.poll(p.now)
			p.collect()
		}
		if limit := 8 * (64 + rowLen); sent > limit {
			t.Errorf("%d bytes were sent to a sink that does not answer, more than its window of %d", sent, limit)
		}
		p.run()
		p.synced(p.a)
		if p.a.stats.Overflows != 1 {
			t.Errorf("%+v, want one overflow", p.a.stats)
		}
	})
}

// Half a snapshot is nothing to build on: neither for the next round, nor for a
// term of its holder as source.
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

// Rows that take hold after their round is over are not acked in the next one.
func TestLateApplyOfEarlierRound(t *testing.T) {
	p := newPair(t, Config{})
	p.master(p.a, 1)
	p.fill(p.a, 0, 40)
	p.a.poll(p.now)
	p.connect()
	exchange := func() {
		for range 10 {
			p.collect()
			p.deliver(p.a)
			p.deliver(p.b)
		}
	}
	exchange()
	p.cut()
	p.connect()
	exchange()
	if p.a.stats.Resumes != 1 || p.b.Pending() != 1 {
		t.Fatalf("%+v, %d pending", p.a.stats, p.b.Pending())
	}
	p.run()
	p.synced(p.a)
}

// A mark that crosses the sink's request for the buckets' digests is not its answer.
func TestMarkCrossesNeed(t *testing.T) {
	p := inSyncPair(t, Config{}, 40)
	p.now = p.a.Deadline()
	p.a.Advance(p.now) // the mark is due
	p.b.change(entryOf(3, 0, 0), true)
	p.b.poll(p.now)
	p.collect() // and is on its way, as is the request
	if p.ab[0][0] != typeMark || p.ba[0][0] != typeNeed {
		t.Fatalf("messages of type %d and %d", p.ab[0][0], p.ba[0][0])
	}
	p.b.change(entryOf(3, flow.Established, 11), false) // the mark will match
	p.b.poll(p.now)
	p.run()
	p.synced(p.a)
}

func TestHandover(t *testing.T) {
	tests := []struct {
		name      string
		cut       bool // the old source is behind a cut when its last changes happen
		changes   int
		snapshots uint64
	}{
		{name: "former source resumes", changes: 0, snapshots: 1},
		{name: "former source with changes of its own is repaired", cut: true, changes: 10, snapshots: 1},
		{name: "former source that differs a lot takes a snapshot", cut: true, changes: 300, snapshots: 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := inSyncPair(t, Config{Buckets: 64}, 40)
			if test.cut {
				p.cut()
				p.fill(p.a, 100, 100+test.changes)
				p.run()
			}
			p.master(p.b, 2)
			p.fill(p.b, 40, 45)
			if test.cut {
				p.connect()
			}
			p.run()
			p.synced(p.b)
			if got := p.a.stats.Snapshots + p.b.stats.Snapshots; got != test.snapshots {
				t.Errorf("%d snapshots, want %d", got, test.snapshots)
			}
			if p.a.Len() != 45 {
				t.Errorf("%d flows, want 45", p.a.Len())
			}
		})
	}
}

// A MASTER that loses its lease and claims again need not send its table again.
func TestReclaim(t *testing.T) {
	p := inSyncPair(t, small, 40)
	p.demote(p.a)
	p.run()
	expect(t, p.b.Engine, true, "equal to")
	p.promote(p.a, 2)
	p.fill(p.a, 40, 50)
	p.run()
	p.synced(p.a)
	if got := p.a.stats; got.Snapshots != 1 || got.Resumes != 1 {
		t.Errorf("%+v, want a resumption", got)
	}
}

// InSync is bound to the source's incarnation and epoch, and outlives the stream.
func TestInSyncIsBound(t *testing.T) {
	tests := []struct {
		name        string
		incarnation uint64
		source      bool
		epoch       uint32
		want        bool
	}{
		{name: "same", incarnation: 0xa1, source: true, epoch: 1, want: true},
		{name: "no longer MASTER", incarnation: 0xa1, epoch: 1, want: true},
		{name: "no longer MASTER, of a later epoch", incarnation: 0xa1, epoch: 2, want: false},
		{name: "restarted", incarnation: 0xa2, source: true, epoch: 1, want: false},
		{name: "restarted, not MASTER", incarnation: 0xa2, epoch: 0, want: false},
		{name: "next epoch", incarnation: 0xa1, source: true, epoch: 2, want: false},
		{name: "earlier epoch", incarnation: 0xa1, source: true, epoch: 0, want: false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := inSyncPair(t, small, 40)
			p.now = 77
			p.cut()
			expect(t, p.b.Engine, true, "equal to")
			if p.b.LostAt() != 77 || p.b.Progress().Phase != PhaseLost {
				t.Errorf("lost at %d in phase %s", p.b.LostAt(), p.b.Progress().Phase)
			}
			p.b.Connected(p.now, test.incarnation, test.source, test.epoch)
			expect(t, p.b.Engine, test.want, "")
			if p.b.LostAt() != clock.Never {
				t.Error("lost while connected")
			}
		})
	}
}

// The periodic comparison finds a difference that no message explains, closes
// InSync until it is mended, and sends only the buckets that differ.
func TestSilentDifferenceIsRepaired(t *testing.T) {
	damages := map[string]func(n *node){
		"missing": func(n *node) { n.damage(entryOf(7, 0, 0), true) },
		"extra":   func(n *node) { n.damage(entryOf(1000, flow.Established, 11), false) },
		"state":   func(n *node) { n.damage(entryOf(8, flow.FinWait, 11), false) },
		"backend": func(n *node) { n.damage(entryOf(9, flow.Established, 12), false) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			p := inSyncPair(t, Config{}, 1000)
			damage(p.b)
			closed := false
			p.onSend = func(from *node, msg []byte) {
				if msg[0] == typeBuckets {
					ok, _ := p.b.InSync()
					closed = !ok && !p.a.PeerInSync()
				}
			}
			p.sleep(6 * time.Second)
			p.synced(p.a)
			if !closed || p.b.stats.Mismatches != 1 || p.b.stats.BucketsRepaired != 1 {
				t.Errorf("closed %v, %+v", closed, p.b.stats)
			}
			if p.a.stats.Snapshots != 1 {
				t.Error("repaired by a snapshot")
			}
		})
	}
}

// damage changes dataplane and mirror behind the engine's back.
func (n *node) damage(entry flow.Entry, remove bool) {
	c := changeOf(entry)
	hash := n.table.tuple(c.original)
	id := n.table.find(hash, c.original)
	v := version{gen: n.table.gen}
	switch {
	case remove:
		delete(n.flows, c.original)
		n.table.remove(hash, id)
		return
	case id == 0:
		n.table.insert(hash, c, flow.Synced, v)
	default:
		n.table.replace(hash, id, c, flow.Synced, v)
	}
	n.flows[c.original] = entry
}

// A mark that does not match closes nothing, however often; after three failed
// repairs a new snapshot is fetched, and not in a loop.
func TestRepairThatFails(t *testing.T) {
	p := newPair(t, Config{})
	p.master(p.a, 1)
	p.fill(p.a, 0, 1000)
	p.connect()
	broken := true
	p.onRecv = func(_ *node, msg []byte) {
		if msg[0] == typeMark && broken {
			p.b.damage(entryOf(5000, flow.Established, 11), false)
		}
	}
	p.run()
	expect(t, p.b.Engine, false, "waiting for a new snapshot")
	if got := p.b.stats; got.Repairs != attemptsMax || p.a.stats.Snapshots != 1 {
		t.Fatalf("%+v, want %d repairs", got, attemptsMax)
	}
	p.sleep(10 * time.Second)
	if got := p.a.stats.Snapshots; got < 8 || got > 12 {
		t.Fatalf("%d snapshots in 10 s, want one each second", got)
	}
	broken = false
	p.sleep(10 * time.Second)
	p.synced(p.a)
}

// A failed batch is not acked, closes InSync, and comes again with what its flows
// are by then.
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

// What a former MASTER's dataplane still has to say is not hidden from the
// comparison with the new one, and never overrides it.
func TestStrays(t *testing.T) {
	p := inSyncPair(t, Config{}, 100)
	p.b.change(entryOf(1, flow.FinWait, 11), false)
	p.b.change(entryOf(2, 0, 0), true)
	p.b.change(entryOf(500, flow.Established, 11), false)
	p.b.poll(p.now)
	expect(t, p.b.Engine, false, "")
	p.run()
	p.synced(p.a)
	if p.b.stats.Strays != 3 || p.a.Len() != 100 {
		t.Errorf("%+v", p.b.stats)
	}
}

// A dump is worked in as changes, except for flows that changed since it was asked for.
func TestReconcile(t *testing.T) {
	p := inSyncPair(t, small, 40)
	p.a.change(entryOf(0, flow.FinWait, 11), false)
	p.a.change(entryOf(1, 0, 0), true)
	p.a.change(entryOf(100, flow.Established, 11), false)
	p.a.late = nil // lost
	p.a.DumpAsked(p.now)
	dump := p.a.dump()
	p.a.change(entryOf(2, 0, 0), true)
	p.a.change(entryOf(3, flow.Closed, 11), false)
	p.a.change(entryOf(101, flow.Established, 11), false)
	p.a.poll(p.now)
	p.a.Reconcile(p.now, dump)
	p.run()
	p.synced(p.a)
	if got := p.a.stats.Reconciled; got != 3 || p.a.Len() != 40 {
		t.Errorf("%d flows reconciled, want 3; %d flows", got, p.a.Len())
	}
}

// What a sink's dataplane has applied is not exempt from a dump, though it waits
// behind a failed batch for its ack.
func TestReconcileBehindFailedBatch(t *testing.T) {
	p := inSyncPair(t, Config{}, 10)
	p.b.fail = 1
	p.a.change(entryOf(0, flow.FinWait, 11), false)
	p.run()
	p.a.change(entryOf(50, flow.Established, 11), false)
	p.run()
	p.b.change(entryOf(50, 0, 0), true)
	p.b.late = nil // lost
	p.b.DumpAsked(p.now)
	p.b.Reconcile(p.now, p.b.dump())
	p.sleep(time.Second)
	p.synced(p.a)
}

// An event that says what is known already is no change.
func TestRepeatedEvent(t *testing.T) {
	p := inSyncPair(t, Config{}, 3)
	p.a.change(entryOf(1, flow.Established, 11), false)
	p.a.change(entryOf(9, 0, 0), true)
	p.run()
	if p.a.Sent() != 3 {
		t.Errorf("%d changes, want 3", p.a.Sent())
	}
}

// One Ready does a bounded part of a walk over the table and asks to be called again.
func TestWorkIsBounded(t *testing.T) {
	const flows = 4 * scanStep
	p := newPair(t, Config{BatchEntries: 1024})
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

// Lifetimes travel as they are, to the millisecond, and enter no digest.
func TestLifetimes(t *testing.T) {
	p := newPair(t, small)
	p.master(p.a, 1)
	lifetimes := []time.Duration{0, 1, time.Millisecond, 30 * time.Second, 2 * time.Hour, 1 << 62, -5}
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

// What a message asks of the dataplane says of each flow what it came to be,
// deletions first, so that a reply tuple may pass from one flow to another.
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
	p.run()
	p.synced(p.a)
}

// Changes that cannot be are not passed on to a peer that would refuse them.
func TestLocalNonsense(t *testing.T) {
	p := inSyncPair(t, small, 3)
	bad := []flow.Entry{entryOf(9, 0, 11), entryOf(9, 99, 11), entryOf(9, flow.Established, 11), entryOf(9, flow.Established, 11)}
	bad[2].Original.Proto, bad[3].Reply.Proto = 1, flow.UDP
	for _, entry := range bad {
		p.a.Local(p.now, []flow.Event{{Entry: entry}})
	}
	if p.a.stats.LocalInvalid != 4 || p.a.Sent() != 3 {
		t.Errorf("%+v, sent %d", p.a.stats, p.a.Sent())
	}
}

func TestProgress(t *testing.T) {
	p := newPair(t, small)
	phases := func(a, b string) {
		t.Helper()
		if pa, pb := p.a.Progress(), p.b.Progress(); pa.Phase != a || pb.Phase != b {
			t.Fatalf("phases %s and %s, want %s and %s\n%+v\n%+v", pa.Phase, pb.Phase, a, b, pa, pb)
		}
	}
	phases(PhaseIdle, PhaseIdle)
	p.master(p.a, 1)
	p.fill(p.a, 0, 100)
	p.run()
	p.connect()
	p.deliver(p.a)
	p.deliver(p.b)
	phases(PhaseHello, PhaseHello)
	for range 5 {
		p.collect()
		p.deliver(p.a)
		p.deliver(p.b)
		p.b.apply(p.now)
	}
	phases(PhaseSnapshot, PhaseSnapshot)
	got := p.b.Progress()
	if got.Total != 100 || got.Entries == 0 || got.Percent != float64(got.Entries) || got.Digest != "unknown" {
		t.Errorf("%+v", got)
	}
	p.now = p.now.Add(time.Second)
	p.run()
	phases(PhaseInSync, PhaseInSync)
	got = p.b.Progress()
	if got.Entries != 100 || got.Percent != 100 || got.Digest != "equal" || got.Took != time.Second || got.Rate <= 0 {
		t.Errorf("%+v", got)
	}
	p.cut()
	phases(PhaseLost, PhaseLost)
	if got := p.b.Progress().Why; got != "cut" {
		t.Errorf("lost because %q", got)
	}
}

// apply applies all batches that were handed out.
func (n *node) apply(now clock.Instant) {
	for len(n.batch) > 0 {
		n.applyOne(now)
	}
}
