package ctsync

import (
	"testing"
	"time"

	"baton/impl/flow"
)

// slotOf returns the memory of a mirrored flow.
func (n *node) slotOf(i int) *slot {
	original := entryOf(i, 0, 0).Original
	return n.table.at(n.table.find(n.table.tuple(original), original))
}

// cellOf returns the cell that leads to it.
func (n *node) cellOf(i int) *cell {
	hash := n.table.tuple(entryOf(i, 0, 0).Original)
	b := &n.table.buckets[n.table.bucketOf(hash)]
	for at := range b.cells {
		if b.cells[at].matches(hash) && b.cells[at] != 0 {
			return &b.cells[at]
		}
	}
	panic("the flow is not in the index")
}

// flips are bits of the mirrored table that may flip.
var flips = map[string]func(n *node){
	"client's port":             func(n *node) { n.slotOf(7).original.SrcPort ^= 1 << 3 },
	"backend's address":         func(n *node) { n.slotOf(7).reply.Src[15] ^= 1 << 2 },
	"SNAT port":                 func(n *node) { n.slotOf(7).reply.DstPort ^= 1 << 9 },
	"state":                     func(n *node) { n.slotOf(7).state ^= 1 },
	"state, to none":            func(n *node) { n.slotOf(7).state = 0 },
	"hash in the index":         func(n *node) { *n.cellOf(7) ^= 1 << 40 },
	"slot beyond all":           func(n *node) { *n.cellOf(7) ^= 1 << 30 },
	"slot of another flow":      func(n *node) { *n.cellOf(7) = newCell(uint64(*n.cellOf(7)), n.cellOf(8).slot()) },
	"digest of a bucket":        func(n *node) { n.table.buckets[n.table.bucketOf(n.table.tuple(n.slotOf(7).original))].all.sum ^= 1 },
	"entries of a bucket":       func(n *node) { n.table.buckets[n.table.bucketOf(n.table.tuple(n.slotOf(7).original))].all.entries++ },
	"digest of the table":       func(n *node) { n.table.all.sum ^= 1 },
	"content, and then changed": func(n *node) { s := n.slotOf(7); s.reply.DstPort ^= 4; n.replaced(7) },
}

// replaced replaces the mirror's entry of a flow by the dataplane's.
func (n *node) replaced(i int) {
	e := entryOf(i, flow.Established, 11)
	hash := n.table.tuple(e.Original)
	n.table.replace(hash, n.table.find(hash, e.Original), changeOf(e), flow.Synced, version{gen: n.table.gen, seq: n.pos.seq})
}

// TestADamagedMirrorIsFoundAndReplaced: at the sink from the source, at the source from its
// dataplane, which impl/node reads.
func TestADamagedMirrorIsFoundAndReplaced(t *testing.T) {
	for what, flip := range flips {
		t.Run("of a sink/"+what, func(t *testing.T) {
			p := damagedPair(t, func(p *pair) *node { return p.b }, flip)
			if ok, _ := p.b.InSync(); ok {
				t.Error("the sink is in sync with a damaged mirror")
			}
			p.whole(t)
		})
		t.Run("of a source/"+what, func(t *testing.T) {
			p := damagedPair(t, func(p *pair) *node { return p.a }, flip)
			p.a.DumpAsked(p.now)
			p.a.Reconcile(p.now, p.a.dump())
			p.whole(t)
		})
	}
}

// damagedPair is a pair in sync in which damage of a node's mirror has been found. A thousand
// flows are checked in one step.
func damagedPair(t *testing.T, of func(*pair) *node, flip func(*node)) *pair {
	p := inSyncPair(t, Config{}, 1000)
	n := of(p)
	if found := n.ScrubMirror(p.now); found != 0 {
		t.Fatalf("%d damaged parts of a sound mirror", found)
	}
	flip(n)
	if found := n.ScrubMirror(p.now); found == 0 {
		t.Error("no damage is found")
	}
	return p
}

// whole checks that the pair is in sync again, without a snapshot and without damage.
func (p *pair) whole(t *testing.T) {
	p.sleep(6 * time.Second)
	p.synced(p.a)
	if found := p.a.ScrubMirror(p.now) + p.b.ScrubMirror(p.now); found != 0 {
		t.Errorf("%d damaged parts are left", found)
	}
	if p.a.stats.Snapshots != 1 {
		t.Error("replaced by a snapshot")
	}
}

// TestAPartOfTheMirrorIsBounded: each part is bounded, and together they are the whole mirror.
func TestAPartOfTheMirrorIsBounded(t *testing.T) {
	const flows = 4 * scrubStep
	n := newPair(t, Config{}).a
	for i := range flows {
		n.change(entryOf(i, flow.Established, 11), false)
	}
	n.poll(1)
	for at, parts := 0, 1; ; parts++ {
		n.ScrubMirror(1)
		if at > n.scrub.bucket || parts > len(n.table.buckets) {
			if parts < flows/scrubStep/2 || parts > 2*flows/scrubStep {
				t.Errorf("%d parts of %d flows, a part is about %d", parts, flows, scrubStep)
			}
			return
		}
		at = n.scrub.bucket
	}
}

// TestADamagedMirrorIsNoWitness: the bucket of a flow is checked before the mirror is trusted.
func TestADamagedMirrorIsNoWitness(t *testing.T) {
	p := inSyncPair(t, Config{}, 1000)
	flips["SNAT port"](p.b)
	held := flow.Held{Entry: p.b.flows[entryOf(7, 0, 0).Original], Found: true, Sound: true}
	if p.b.Agrees(&held) || p.b.MirrorSound(p.now, held.Original) {
		t.Error("the damaged mirror is believed")
	}
	if other := entryOf(8, 0, 0).Original; !p.b.MirrorSound(p.now, other) {
		t.Error("and that of another flow is not")
	}
}

// TestWhatAWalkDoesNotPassIsMissing: unless the mirror got the flow since the walk began.
func TestWhatAWalkDoesNotPassIsMissing(t *testing.T) {
	p := inSyncPair(t, Config{}, 100)
	for range 2 {
		p.b.ScrubBegin()
		for i := range 100 {
			if held := (flow.Held{Entry: entryOf(i, flow.Established, 11), Found: true, Sound: true}); i%10 != 3 && !p.b.Agrees(&held) {
				t.Errorf("flow %d differs", i)
			}
		}
		p.fill(p.a, 100, 110)
		p.sleep(time.Second)
		missing := map[flow.Tuple]bool{}
		for last := false; !last; {
			var some []flow.Tuple
			some, last = p.b.Unpassed(3)
			for _, tuple := range some {
				missing[tuple] = true
			}
		}
		for i := range 110 {
			if want := i%10 == 3 && i < 100; missing[entryOf(i, 0, 0).Original] != want {
				t.Errorf("flow %d is missing: %v", i, !want)
			}
		}
		p.b.scrub.slot = 1
		for i := 100; i < 110; i++ {
			p.a.change(entryOf(i, flow.Established, 11), true)
		}
		p.a.poll(p.now)
		p.sleep(time.Second)
	}
}

// TestNothingIsCheckedWhileASnapshotRuns: the digest then covers only new entries.
func TestNothingIsCheckedWhileASnapshotRuns(t *testing.T) {
	p := inSyncPair(t, Config{}, 100)
	flips["SNAT port"](p.b)
	p.b.intake.open, p.b.intake.snapshot, p.b.intake.ended = true, true, false
	if found := p.b.ScrubMirror(p.now); found != 0 {
		t.Errorf("%d parts", found)
	}
}
