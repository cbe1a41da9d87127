package ctsync

import (
	"testing"

	"baton/impl/flow"
)

// After a short loss of the stream only the changes of that time are sent.
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

func TestHandover(t *testing.T) {
	tests := []struct {
		name      string
		cut       bool // the old source is behind a cut when its last changes happen
		changes   int
		snapshots uint64
	}{
		{name: "former source resumes", changes: 0, snapshots: 1},
		{name: "former source with changes of its own takes a snapshot", cut: true, changes: 10, snapshots: 2},
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

// Rows applied after the end of their round are not acked in the next one.
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

// Changes of an earlier term that are applied in the current one are not acked in it.
func TestLateApplyOfEarlierTerm(t *testing.T) {
	p := inSyncPair(t, Config{}, 40)
	p.fill(p.a, 40, 50)
	exchange := func() {
		for range 10 {
			p.collect()
			p.deliver(p.a)
			p.deliver(p.b)
		}
	}
	p.a.poll(p.now)
	exchange()
	p.promote(p.a, 2)
	exchange()
	p.b.apply(p.now) // change 50 of epoch 1
	exchange()
	if p.a.Acked() != 0 || p.b.AppliedSeq() != 0 {
		t.Errorf("acked %d, applied %d, of no changes", p.a.Acked(), p.b.AppliedSeq())
	}
	p.run()
	p.synced(p.a)
}

// Unsent frames of a lost stream are not sent on the next one, which does not know their rounds
// and hellos.
func TestFramesOfALostStreamAreNotSentOnTheNext(t *testing.T) {
	t.Run("hello", func(t *testing.T) {
		b := New(Config{Incarnation: 0xb1})
		for range 2 {
			if err := b.Connected(1, Version, 0xa1, true, 1); err != nil {
				t.Fatal(err)
			}
			b.Disconnected(1, "cut") // before Ready was called
		}
		if err := b.Connected(1, Version, 0xa1, true, 1); err != nil {
			t.Fatal(err)
		}
		if got := b.Ready().Send; len(got) != 1 {
			t.Errorf("%d frames, want one hello", len(got))
		}
	})
	t.Run("begin", func(t *testing.T) {
		p := newPair(t, small)
		p.master(p.a, 1)
		p.fill(p.a, 0, 10)
		p.connect()
		for len(p.ba) > 0 || len(p.ab) > 0 {
			p.collect()
			if !p.deliver(p.b) && !p.deliver(p.a) {
				break
			}
			if p.a.feed.open {
				break // begin is queued, and Ready was not called yet
			}
		}
		if !p.a.feed.open {
			t.Fatal("no round was opened")
		}
		p.cut()
		if err := p.a.Connected(p.now, Version, 0xb1, false, 0); err != nil {
			t.Fatal(err)
		}
		if got := p.a.Ready().Send; len(got) != 0 {
			t.Errorf("%d frames before the sink has asked for any", len(got))
		}
	})
}
