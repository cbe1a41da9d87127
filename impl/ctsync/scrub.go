package ctsync

import (
	"baton/impl/clock"
	"baton/impl/flow"
)

// A scrub looks for damage: it walks through the dataplane and compares it with the mirror,
// and checks the mirror against its own digests, which are updated incrementally and so do not
// include flipped bits. impl/node decides which differences are damage and which are only
// late events, and which side is right.

// scrubStep is the approximate number of entries that one ScrubMirror checks.
const scrubStep = 2048

// scrubber is the position of a scrub in the mirror.
type scrubber struct {
	bucket int    // next to check
	slot   uint32 // at which the search for entries that the dataplane lacks continues
}

// ScrubBegin says that a walk through the dataplane begins.
func (e *Engine) ScrubBegin() {
	clear(e.table.passed)
	e.scrub.slot = 1
}

// Agrees reports whether the mirror holds an entry as the dataplane does. Lifetimes and
// origins differ by nature.
func (e *Engine) Agrees(held *flow.Held) bool {
	id := e.table.find(e.table.tuple(held.Original), held.Original)
	if id == 0 {
		return !held.Found
	}
	e.table.passed.add(id)
	s := e.table.at(id)
	return held.Found && held.Sound && s.reply == held.Reply && s.state == held.State
}

// Unpassed returns flows that were in the mirror when the walk began and that the walk has
// not passed, at most limit, and reports whether these are the last.
func (e *Engine) Unpassed(limit int) (tuples []flow.Tuple, last bool) {
	for n := 0; e.scrub.slot <= e.table.used; e.scrub.slot++ {
		if n++; n > scanStep || len(tuples) == limit {
			return tuples, false
		}
		if e.table.passed.has(e.scrub.slot) {
			continue
		}
		if s := e.table.at(e.scrub.slot); !s.vacant() && !e.table.lost(e.scrub.slot) {
			tuples = append(tuples, s.original)
		}
	}
	return tuples, true
}

// ScrubMirror checks the next part of the mirror and returns how many of its buckets were
// damaged.
func (e *Engine) ScrubMirror(now clock.Instant) (damaged int) {
	e.now = now
	for n, checked := 0, 0; n < len(e.table.buckets) && checked < scrubStep; n++ {
		i := e.scrub.bucket
		e.scrub.bucket = (i + 1) % len(e.table.buckets)
		checked += int(e.table.buckets[i].all.entries)
		if !e.checkMirror(i) {
			damaged++
		}
	}
	return damaged
}

// MirrorSound checks the part of the mirror that a flow belongs to.
func (e *Engine) MirrorSound(now clock.Instant, original flow.Tuple) bool {
	e.now = now
	return e.checkMirror(e.table.bucketOf(e.table.tuple(original)))
}

// checkMirror checks a bucket. Entries that a sink loses with a damaged bucket are sent again by
// the source. Nothing is checked during a snapshot, in which the digest covers only the new
// entries.
func (e *Engine) checkMirror(bucket int) bool {
	in := &e.intake
	if !e.source && in.open && in.snapshot && (!in.ended || in.sweeping) || e.table.isSound(bucket) {
		return true
	}
	e.table.rebuild(bucket)
	if !e.source {
		in.doubt()
	}
	return false
}

// isSound reports whether the index and digests of a bucket match its entries. For the first
// bucket it also checks that the table's digests are the sum over all buckets.
func (t *table) isSound(bucket int) bool {
	b := &t.buckets[bucket]
	var sum digests
	for _, c := range b.cells {
		if c == 0 {
			continue
		}
		hash, ok := t.leads(bucket, c)
		if !ok {
			return false
		}
		s := t.at(c.slot())
		sum.count(t.entry(hash, s.reply, s.state), plus, carriedSince(&s.original, &s.reply))
	}
	return sum == b.digests && (bucket != 0 || t.total() == t.digests)
}

// leads reports whether a cell of a bucket leads to an entry that belongs there, and returns
// the hash of its original tuple.
func (t *table) leads(bucket int, c cell) (hash uint64, ok bool) {
	id := c.slot()
	if id == 0 || id > t.used || t.at(id).vacant() {
		return 0, false
	}
	hash = t.tuple(t.at(id).original)
	return hash, t.bucketOf(hash) == bucket && newCell(hash, id) == c
}

// rebuild rebuilds index and digests of a bucket from the entries to which its index leads and
// that belong there. Other entries cannot be found and are dropped.
func (t *table) rebuild(bucket int) {
	b := &t.buckets[bucket]
	cells := b.cells
	b.digests, b.cells = digests{}, make([]cell, len(cells))
	for _, c := range cells {
		id := c.slot()
		if id == 0 || id > t.used || t.at(id).vacant() {
			continue
		}
		s := t.at(id)
		hash := t.tuple(s.original)
		switch known := t.find(hash, s.original); {
		case known == 0 && t.bucketOf(hash) == bucket:
			b.place(newCell(hash, id))
			b.count(t.entry(hash, s.reply, s.state), plus, carriedSince(&s.original, &s.reply))
		case known != id:
			t.vacate(id)
		}
	}
	t.digests = t.total()
}

// lost reports whether the index does not lead to an entry, which is then dropped.
func (t *table) lost(id uint32) bool {
	s := t.at(id)
	if t.find(t.tuple(s.original), s.original) == id {
		return false
	}
	t.vacate(id)
	return true
}

// vacate frees a slot to which the index does not lead.
func (t *table) vacate(id uint32) {
	*t.at(id) = slot{remaining: t.free}
	t.free = id
}

// total returns the digests summed over all buckets.
func (t *table) total() (sum digests) {
	for i := range t.buckets {
		sum.add(t.buckets[i].digests)
	}
	return sum
}
