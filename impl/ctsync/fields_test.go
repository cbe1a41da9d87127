package ctsync

import (
	"testing"

	"baton/impl/fingerprint"
	"baton/impl/fingerprint/fieldtest"
	"baton/impl/flow"
)

// fullEngine returns an engine without empty fields.
func fullEngine() *Engine {
	e := New(Config{Incarnation: 7, Buckets: 64})
	entry := entryOf(1, flow.Established, 11)
	for i := range 3 {
		e.table.insert(e.table.tuple(entryOf(i, 0, 11).Original), changeOf(entryOf(i, flow.Established, 11)), flow.Opened, version{1, 1})
	}
	e.table.passed.add(1)
	e.journal.add(changeOf(entry))
	e.feed.repairs, e.feed.barriers = []uint16{3}, []barrier{{typeMark, 4, []byte{1, 2}}}
	e.intake.compare.list = []uint16{9}
	e.queue.steps = []*step{{Batch: Batch{Entries: []flow.Entry{entry}, Deletes: []flow.Tuple{entry.Original}}}}
	e.offers = []Offer{{index: 1, Entries: []flow.Entry{entry}}}
	e.recon.entries, e.recon.seen = []flow.Entry{entry}, []uint64{5}
	e.recon.touched = map[flow.Tuple]struct{}{entry.Original: {}}
	e.out = Ready{Send: [][]byte{{1}}, Apply: []Batch{{ID: 1}}}
	return e
}

// Every field of the engine and its parts is in the fingerprint or on this list of
// exceptions; likewise for the copy.
func TestEveryFieldIsInTheFingerprint(t *testing.T) {
	fieldtest.Fingerprint(t, fullEngine(), func(e *Engine, h *fingerprint.Hash) { e.Fingerprint(h) },
		"cfg", "now", "stats", "meter", "upAt", "took", "why", "out", "scratch", "slots", // without effect, or for people
		"table.hasher", "table.chunks", "table.buckets", "table.gen", "journal.ring", "table.passed", "scrub", // digests and positions stand for them
		"intake.hello.buckets", "intake.hello.check", "intake.hello.capacity", // of the configuration
		"intake.compare.version.gen", "capacity.warning",
		"queue.spare", "queue.ordinal", "queue.lastID", "queue.steps.ordinal", "queue.steps.failure.why",
		"queue.steps.Batch.ID",
	)
}

func TestTheCopySharesNothing(t *testing.T) {
	fieldtest.Clone(t, fullEngine(), (*Engine).Clone, "cfg", "scratch", "slots", "queue.spare",
		"out.Send", "feed.barriers.msg") // frames are never changed once written
}

// A copy continues as the original would, and does not affect the original.
func TestACopyBehavesAsTheOriginal(t *testing.T) {
	p := inSyncPair(t, small, 30)
	p.b.fail = 2
	p.fill(p.a, 30, 60)
	for range 5 {
		p.collect()
		p.a.poll(p.now)
		p.deliver(p.b)
		p.b.apply(p.now)
		p.deliver(p.a)
	}
	for _, n := range []*node{p.a, p.b} {
		before := hashOf(n.Engine)
		copied := n.Clone()
		if hashOf(copied) != before {
			t.Fatalf("%s: the copy has another fingerprint", n.name)
		}
		copied.Disconnected(p.now, "cut")
		copied.Local(p.now, []flow.Event{{Entry: entryOf(1, 0, 11), Deleted: true}})
		copied.SetSource(p.now, 9)
		copied.Ready()
		if hashOf(n.Engine) != before {
			t.Fatalf("%s: the copy has changed the original", n.name)
		}
		n.Engine = n.Clone()
	}
	p.sleep(5e9)
	p.synced(p.a)
}

func hashOf(e *Engine) uint64 {
	h := fingerprint.New(fieldtest.Now, 60e6)
	e.Fingerprint(h)
	return h.Sum(true)
}
