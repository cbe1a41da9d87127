package ctsync

import (
	"testing"
	"time"

	"baton/impl/flow"
)

// The periodic comparison finds a difference that no message explains, closes
// InSync until it is repaired, and sends only the unequal buckets.
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

// An unequal mark never closes a round; after three failed repairs a new snapshot
// is fetched, but not in a loop.
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

// A mark that crosses the sink's request for the buckets' digests is not its answer.
func TestAMarkThatCrossesARequestIsNotItsAnswer(t *testing.T) {
	p := inSyncPair(t, Config{}, 40)
	p.now = p.a.Deadline()
	p.a.Advance(p.now) // the mark is due
	p.b.change(entryOf(3, 0, 0), true)
	p.b.poll(p.now)
	p.collect() // the mark and the request are in flight
	if p.ab[0][0] != typeMark || p.ba[0][0] != typeNeed {
		t.Fatalf("messages of type %d and %d", p.ab[0][0], p.ba[0][0])
	}
	p.b.change(entryOf(3, flow.Established, 11), false) // the mark will match
	p.b.poll(p.now)
	p.run()
	p.synced(p.a)
}

// A mark that waits for the window counts the rows before it and is sent before the rows
// of a repair that was asked for meanwhile.
func TestRepairBehindAMarkThatWaits(t *testing.T) {
	p := inSyncPair(t, small, 40)
	p.b.change(entryOf(3, 0, 0), true)
	p.b.poll(p.now)
	for p.b.intake.compare.stage != repairing {
		p.collect()
		p.b.apply(p.now)
		p.deliver(p.a)
		p.deliver(p.b)
	}
	p.fill(p.a, 100, 100+2*small.Window*small.BatchEntries)
	p.a.poll(p.now)
	p.collect()
	p.a.mark()
	for range 20 {
		p.collect()
		p.deliver(p.a)
		p.deliver(p.b) // fails the test if the mark does not fit its rows
	}
	p.run()
	p.synced(p.a)
}
