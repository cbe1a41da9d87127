package ctsync

import (
	"testing"
	"time"

	"baton/impl/flow"
)

// Late events of a former MASTER's dataplane are part of the comparison with the new MASTER,
// and never override its table. A flow that the new MASTER lacks is offered to it, if the peer
// supports offers and the node makes them.
func TestLateEventsOfAFormerMasterNeverOverrideTheNewMasters(t *testing.T) {
	for _, c := range []struct {
		version  uint8
		withhold bool
		flows    int
	}{{versionOffer - 1, false, 100}, {Version, false, 101}, {Version, true, 100}} {
		p := newPairOf(t, Config{Withhold: c.withhold}, c.version)
		p.master(p.a, 1)
		p.fill(p.a, 0, 100)
		p.connect()
		p.run()
		p.b.change(entryOf(1, flow.FinWait, 11), false)
		p.b.change(entryOf(2, 0, 0), true)
		p.b.change(entryOf(500, flow.Established, 11), false)
		p.b.poll(p.now)
		expect(t, p.b.Engine, false, "")
		p.run()
		p.synced(p.a)
		if p.b.stats.Strays != 3 || p.a.Len() != c.flows {
			t.Errorf("%+v: the source has %d flows: %+v", c, p.a.Len(), p.b.stats)
		}
	}
}

// A former MASTER learns of its last flow only as a sink. Whenever that happens, it offers the flow to the new MASTER,
// even if the tables are equal otherwise.
func TestALateFlowIsOfferedWheneverItIsHeardOf(t *testing.T) {
	for late := range 80 { // messages
		p := inSyncPair(t, small, 40)
		p.cut()
		p.promote(p.b, 2)
		p.demote(p.a)
		p.connect()
		for range late {
			p.collect()
			for _, n := range []*node{p.a, p.b} {
				n.apply(p.now)
				n.workOffers(p.now)
			}
			if !p.deliver(p.a) {
				p.deliver(p.b)
			}
		}
		p.a.change(entryOf(500, flow.Established, 11), false)
		p.a.poll(p.now)
		p.run()
		p.synced(p.b)
		if p.b.Len() != 41 {
			t.Errorf("heard of after %d messages: the MASTER has %d flows, want 41", late, p.b.Len())
		}
	}
}

// A stray is not swept before it is offered, and stays in the table of a sink that becomes the source.
func TestAStraySurvives(t *testing.T) {
	p := inSyncPair(t, small, 40)
	p.cut()
	p.b.change(entryOf(500, flow.Established, 11), false)
	p.b.poll(p.now)
	p.run()
	if !p.b.Apart() {
		t.Error("a sink with a stray is not apart")
	}
	p.demote(p.a)
	p.promote(p.b, 2)
	p.connect()
	p.run()
	p.synced(p.b)
	if p.b.Len() != 41 {
		t.Errorf("the source that was a sink with a stray has %d flows, want 41", p.b.Len())
	}
}

// A stray that arrives during the sweep, in a slot that the sweep has passed, is found by a
// comparison: no mark of that time covers it.
func TestStrayBehindTheSweep(t *testing.T) {
	p := newPairOf(t, small, versionOffer-1) // a later version offers it
	for i := range 60 {
		p.b.change(entryOf(i, flow.Established, 11), false) // unknown to the source
	}
	p.run()
	p.master(p.a, 1)
	p.fill(p.a, 100, 110)
	p.connect()
	for range 1000 {
		p.collect()
		if p.deliver(p.b); p.b.intake.sweeping && p.b.intake.cursor > 8 {
			break
		}
		p.deliver(p.a)
		p.a.poll(p.now)
		p.b.apply(p.now)
	}
	if !p.b.intake.sweeping {
		t.Fatal("no sweep that takes more than one step")
	}
	p.b.change(entryOf(200, flow.Established, 11), false) // reuses the first swept slot
	p.b.poll(p.now)
	p.a.mark() // taken while the sweep continues
	for p.b.intake.sweeping {
		p.collect()
		for p.deliver(p.b) {
		}
		p.b.apply(p.now)
	}
	if ok, why := p.b.InSync(); ok {
		t.Fatalf("in sync with a stray (%v)", why)
	}
	p.run()
	p.synced(p.a)
}

// A late event of a sink's own dataplane, already overwritten there by a batch, does
// not leave mirror and dataplane different.
func TestStrayBehindBatch(t *testing.T) {
	p := inSyncPair(t, Config{}, 3)
	p.b.change(entryOf(1, flow.FinWait, 11), false)
	p.a.change(entryOf(1, flow.Closed, 11), false)
	p.a.poll(p.now)
	p.collect()
	p.deliver(p.b)
	p.collect()
	p.b.apply(p.now)
	p.b.poll(p.now) // the mirror says FinWait, the dataplane Closed
	p.a.change(entryOf(1, flow.FinWait, 11), false)
	p.run()
	p.synced(p.a)
}

// A dump is applied to the mirror as changes, except for flows that changed since its request.
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

// Changes that a sink's dataplane has applied are not exempt from a dump, even if a
// failed batch before them delays their ack.
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

// An event without news is not a change.
func TestRepeatedEvent(t *testing.T) {
	p := inSyncPair(t, Config{}, 3)
	p.a.change(entryOf(1, flow.Established, 11), false)
	p.a.change(entryOf(9, 0, 0), true)
	p.run()
	if p.a.Sent() != 3 {
		t.Errorf("%d changes, want 3", p.a.Sent())
	}
}

// Invalid changes are not sent to the peer, which would refuse them.
func TestInvalidLocalChangesAreNotSent(t *testing.T) {
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
