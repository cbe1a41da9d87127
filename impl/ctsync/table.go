package ctsync

import "baton/impl/flow"

// A slot holds one flow of the table in 56 bytes without a pointer.
type slot struct {
	seq       uint64 // version within the generation
	original  flow.Tuple
	reply     flow.Tuple
	remaining uint32 // milliseconds
	gen       uint32 // generation that wrote it; 0 is older than any
	next      uint32 // next slot of its chain, or of the free list
	state     flow.State
	origin    flow.Origin
}

// free reports whether no flow lives in the slot.
func (s *slot) free() bool { return s.state == 0 }

func (s *slot) change() change {
	return change{original: s.original, reply: s.reply, remaining: s.remaining, state: s.state}
}

const (
	chunkShift = 12
	chunkLen   = 1 << chunkShift
)

// A table is the mirror of the dataplane's connection table. Flows live in slots
// that never move, in chunks, so that a walk by slot number is stable under
// changes; chains of a linear hash table (Litwin 1980) find them. A linear hash
// table grows by one chain with each insertion, so that no insertion has to pay
// for rehashing everything.
//
// The number of chains starts at the number of digest buckets, a power of two,
// and a chain splits by the next higher bit of the hash: the chains of bucket b
// are b, b+buckets, b+2·buckets, and so on.
//
// Versions: an entry is as new as (gen, seq). A generation begins with each
// epoch and each snapshot; what an older one wrote is older than all that the
// present one writes. fresh is the digest of what the present one wrote.
type table struct {
	hasher
	chunks  []*[chunkLen]slot
	used    uint32 // slots 1 to used have been handed out once
	vacant  uint32 // first of the free list, 0 if empty
	heads   []uint32
	base    int // heads at the beginning of this doubling
	buckets []digest
	all     digest
	fresh   digest
	gen     uint32
}

func newTable(key uint64, buckets int) table {
	return table{
		hasher: hasher{key}, heads: make([]uint32, buckets), base: buckets,
		buckets: make([]digest, buckets), gen: 1,
	}
}

func (t *table) len() int { return int(t.all.entries) }

func (t *table) at(id uint32) *slot { return &t.chunks[id>>chunkShift][id&(chunkLen-1)] }

func (t *table) bucketOf(hash uint64) int { return int(hash & uint64(len(t.buckets)-1)) }

func (t *table) chainOf(hash uint64) int {
	chain := int(hash & uint64(2*t.base-1))
	if chain >= len(t.heads) {
		chain -= t.base
	}
	return chain
}

// find returns the slot of an original tuple, 0 if there is none.
func (t *table) find(hash uint64, original flow.Tuple) uint32 {
	id := t.heads[t.chainOf(hash)]
	for id != 0 {
		s := t.at(id)
		if s.original == original {
			break
		}
		id = s.next
	}
	return id
}

// A version says how new a write is.
type version struct {
	gen uint32
	seq uint64
}

// older reports whether what the slot holds must give way to v.
func (s *slot) older(v version) bool { return s.gen != v.gen || s.seq < v.seq }

// newer reports whether what the slot holds stands against v.
func (s *slot) newer(v version) bool { return s.gen == v.gen && s.seq > v.seq }

// insert adds a flow that find did not find.
func (t *table) insert(hash uint64, c change, origin flow.Origin, v version) uint32 {
	id := t.vacant
	if id != 0 {
		t.vacant = t.at(id).next
	} else {
		t.used++
		id = t.used
		if int(id>>chunkShift) == len(t.chunks) {
			t.chunks = append(t.chunks, new([chunkLen]slot))
		}
	}
	chain := t.chainOf(hash)
	*t.at(id) = slot{
		seq: v.seq, gen: v.gen, original: c.original, reply: c.reply,
		remaining: c.remaining, state: c.state, origin: origin, next: t.heads[chain],
	}
	t.heads[chain] = id
	t.count(hash, t.at(id), plus)
	if t.len() > len(t.heads) {
		t.split()
	}
	return id
}

// replace overwrites what slot id holds with a change of the same flow.
func (t *table) replace(hash uint64, id uint32, c change, origin flow.Origin, v version) {
	s := t.at(id)
	t.count(hash, s, minus)
	s.reply, s.remaining, s.state = c.reply, c.remaining, c.state
	s.origin, s.gen, s.seq = origin, v.gen, v.seq
	t.count(hash, s, plus)
}

// remove takes the flow of slot id away.
func (t *table) remove(hash uint64, id uint32) {
	s := t.at(id)
	t.count(hash, s, minus)
	link := &t.heads[t.chainOf(hash)]
	for *link != id {
		link = &t.at(*link).next
	}
	*link = s.next
	*s = slot{next: t.vacant}
	t.vacant = id
}

// count adds a slot to the digests that cover it, or subtracts it.
func (t *table) count(hash uint64, s *slot, sign uint64) {
	h := t.entry(hash, s.reply, s.state)
	t.buckets[t.bucketOf(hash)].count(h, sign)
	t.all.count(h, sign)
	if s.gen == t.gen {
		t.fresh.count(h, sign)
	}
}

// split divides the next chain in two.
func (t *table) split() {
	from, to := len(t.heads)-t.base, len(t.heads)
	t.heads = append(t.heads, 0)
	stay, move := &t.heads[from], &t.heads[to]
	for id := *stay; id != 0; {
		s := t.at(id)
		next := s.next
		if t.tuple(s.original)&uint64(t.base) != 0 {
			*move, move = id, &s.next
		} else {
			*stay, stay = id, &s.next
		}
		id = next
	}
	*stay, *move = 0, 0
	if len(t.heads) == 2*t.base {
		t.base *= 2
	}
}

// renew begins a generation: all that is held is older than what comes.
func (t *table) renew() {
	t.gen++
	t.fresh = digest{}
}

// walkBucket calls f with every slot of a bucket. f must not change the table.
func (t *table) walkBucket(bucket int, f func(id uint32, s *slot)) {
	for chain := bucket; chain < len(t.heads); chain += len(t.buckets) {
		for id := t.heads[chain]; id != 0; id = t.at(id).next {
			f(id, t.at(id))
		}
	}
}
