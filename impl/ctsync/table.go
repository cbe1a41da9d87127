package ctsync

import (
	"slices"

	"baton/impl/fingerprint"
	"baton/impl/flow"
)

// A slot holds one flow of the table in 96 bytes without a pointer.
type slot struct {
	seq       uint64 // version within the generation
	gen       uint32 // generation that wrote it; 0 is older than any
	remaining uint32 // milliseconds; in a vacant slot the next vacant one
	original  flow.Tuple
	reply     flow.Tuple
	state     flow.State // 0 in a vacant slot
	origin    flow.Origin
}

func (s *slot) vacant() bool { return s.state == 0 }

func (s *slot) change() change {
	return change{original: s.original, reply: s.reply, remaining: s.remaining, state: s.state}
}

// A version says how new a write is.
type version struct {
	gen uint32
	seq uint64
}

// older reports whether v may overwrite the slot.
func (s *slot) older(v version) bool { return s.gen != v.gen || s.seq < v.seq }

// newer reports whether the slot is newer than v.
func (s *slot) newer(v version) bool { return s.gen == v.gen && s.seq > v.seq }

const (
	chunkShift = 9
	chunkLen   = 1 << chunkShift
)

// A table is the mirror of the dataplane's connection table. Flows are in slots
// that never move, allocated in chunks, so that a walk by slot number is stable
// under changes and growing copies nothing. A slot is found by the index of its
// flow's bucket.
//
// The version of an entry is (gen, seq). A generation begins with each epoch and
// each snapshot; entries of an earlier generation are older than all of the current
// one. fresh is the digest of the current generation's entries.
type table struct {
	hasher
	chunks  []*[chunkLen]slot
	used    uint32 // slots 1 to used have been handed out once
	free    uint32 // first of the vacant slots, 0 if there is none
	buckets []bucket
	digests
	fresh digest
	gen   uint32

	passed slotSet // slots that a scrub need not check, see scrub.go
}

func newTable(key uint64, buckets int) table {
	return table{hasher: hasher{key}, buckets: make([]bucket, buckets), gen: 1}
}

func (t *table) clone() table {
	c := *t
	c.chunks = slices.Clone(t.chunks)
	for i, chunk := range t.chunks {
		if chunk != nil {
			slots := *chunk
			c.chunks[i] = &slots
		}
	}
	c.buckets = slices.Clone(t.buckets)
	for i := range c.buckets {
		c.buckets[i].cells = slices.Clone(t.buckets[i].cells)
	}
	c.passed = slices.Clone(t.passed)
	return c
}

func (t *table) fingerprint(h *fingerprint.Hash) {
	h.Number(uint64(t.used))
	h.Number(uint64(t.free))
	for _, d := range []digest{t.all, t.ipv6, t.sctp, t.across, t.fresh} {
		h.Number(d.sum)
		h.Number(uint64(d.entries))
	}
}

func (t *table) len() int { return int(t.all.entries) }

func (t *table) at(id uint32) *slot { return &t.chunks[id>>chunkShift][id&(chunkLen-1)] }

// bucketOf returns the number of the bucket of a tuple's hash.
func (t *table) bucketOf(hash uint64) int { return int(hash & uint64(len(t.buckets)-1)) }

// find returns the slot of an original tuple, 0 if there is none.
func (t *table) find(hash uint64, original flow.Tuple) uint32 {
	b := &t.buckets[t.bucketOf(hash)]
	for i := b.home(hash); ; i = b.after(i) {
		c := b.cell(i)
		if c == 0 {
			return 0
		}
		if c.matches(hash) && t.at(c.slot()).original == original {
			return c.slot()
		}
	}
}

// insert adds a flow that find did not find, and returns its slot.
func (t *table) insert(hash uint64, c change, origin flow.Origin, v version) uint32 {
	id := t.free
	if id != 0 {
		t.free = t.at(id).remaining
	} else {
		t.used++
		id = t.used
		if int(id>>chunkShift) == len(t.chunks) {
			t.chunks = append(t.chunks, new([chunkLen]slot))
		}
	}
	s := t.at(id)
	*s = slot{
		seq: v.seq, gen: v.gen, original: c.original, reply: c.reply,
		remaining: c.remaining, state: c.state, origin: origin,
	}
	t.passed.add(id)
	t.buckets[t.bucketOf(hash)].insert(newCell(hash, id))
	t.count(hash, s, plus)
	return id
}

// replace overwrites slot id with a change of the same flow.
func (t *table) replace(hash uint64, id uint32, c change, origin flow.Origin, v version) {
	s := t.at(id)
	t.count(hash, s, minus)
	s.reply, s.remaining, s.state = c.reply, c.remaining, c.state
	s.origin, s.gen, s.seq = origin, v.gen, v.seq
	t.count(hash, s, plus)
}

// remove removes the flow in slot id.
func (t *table) remove(hash uint64, id uint32) {
	s := t.at(id)
	t.count(hash, s, minus)
	t.buckets[t.bucketOf(hash)].remove(newCell(hash, id))
	*s = slot{remaining: t.free}
	t.free = id
}

// count adds a slot to the digests that cover it (plus), or removes it (minus).
func (t *table) count(hash uint64, s *slot, sign uint64) {
	h := t.entry(hash, s.reply, s.state)
	since := carriedSince(&s.original, &s.reply)
	t.buckets[t.bucketOf(hash)].count(h, sign, since)
	t.digests.count(h, sign, since)
	if s.gen == t.gen {
		t.fresh.count(h, sign)
	}
}

// renew begins a generation: later entries are newer than all existing ones.
func (t *table) renew() {
	t.gen++
	t.fresh = digest{}
}

// walkBucket calls f with every slot of a bucket. f must not change the table.
func (t *table) walkBucket(bucket int, f func(id uint32, s *slot)) {
	for _, c := range t.buckets[bucket].cells {
		if c != 0 {
			f(c.slot(), t.at(c.slot()))
		}
	}
}
