package ctsync

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/flow"
)

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

// Changes are acked, and count for InSync, only when the dataplane has applied them.
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
			p.b.Connected(p.now, Version, test.incarnation, test.source, test.epoch)
			expect(t, p.b.Engine, test.want, "")
			if p.b.LostAt() != clock.Never {
				t.Error("lost while connected")
			}
		})
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

// Changes that the source has announced but not sent are lag: in a delta, in rows, and at the
// beginning of a round.
func TestAnnouncedChangesAreLag(t *testing.T) {
	synced := func() *puppet {
		p := newPuppet(t)
		p.sink.cfg.LagLimit = 5
		p.must(p.delta(1, set(1, flow.Established)))
		p.must(p.mark())
		expect(t, p.sink.Engine, true, "")
		return p
	}
	t.Run("delta", func(t *testing.T) {
		for head, want := range map[uint64]bool{7: true, 8: false} { // 2 is applied
			p := synced()
			m := delta{place: p.place, first: 2, head: head, count: 1}
			p.must(appendChanges(m.encode(Version), []change{set(2, flow.Established)}))
			if got, why := p.sink.InSync(); got != want || p.sink.Progress().Lag != head-2 {
				t.Errorf("announced %d, applied 2: in sync %v (%v), lag %d", head, got, why, p.sink.Progress().Lag)
			}
		}
	})
	t.Run("begin", func(t *testing.T) {
		p := synced()
		p.sink.Disconnected(1, "cut")
		if err := p.sink.Connected(1, Version, 0xa1, true, 3); err != nil {
			t.Fatal(err)
		}
		m := begin{term: p.term, nonce: p.sink.intake.hello.nonce, round: 2, from: position{p.term, 1}, seq: 1, head: 100}
		p.must(m.encode(Version))
		expect(t, p.sink.Engine, false, "lag 99 > 5")
	})
}
