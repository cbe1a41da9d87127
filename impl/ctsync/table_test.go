package ctsync

import (
	"testing"

	"pgregory.net/rapid"

	"baton/impl/flow"
)

// A table is a map with versions, whose digests equal those of a table built from scratch.
func TestTheTableBehavesAsAMapWithDigests(t *testing.T) {
	type held struct {
		change
		version
	}
	rapid.Check(t, func(t *rapid.T) {
		tb := newTable(rapid.Uint64().Draw(t, "key"), minBuckets)
		want := map[flow.Tuple]held{}
		pick := rapid.IntRange(0, 400)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				first := pick.Draw(t, "flow")
				for i := range rapid.IntRange(1, 100).Draw(t, "flows") {
					c := changeOf(entryOf(first+i, rapid.SampledFrom([]flow.State{1, 2, 3}).Draw(t, "state"), 11))
					v := version{tb.gen, uint64(len(want))}
					hash := tb.tuple(c.original)
					if id := tb.find(hash, c.original); id != 0 {
						tb.replace(hash, id, c, flow.Opened, v)
					} else {
						tb.insert(hash, c, flow.Opened, v)
					}
					want[c.original] = held{c, v}
				}
			},
			"remove": func(t *rapid.T) {
				first := pick.Draw(t, "flow")
				for i := range rapid.IntRange(1, 100).Draw(t, "flows") {
					original := entryOf(first+i, 0, 0).Original
					hash := tb.tuple(original)
					id := tb.find(hash, original)
					if _, ok := want[original]; ok != (id != 0) {
						t.Fatalf("%s in slot %d, expected: %v", original, id, ok)
					}
					if id != 0 {
						tb.remove(hash, id)
						delete(want, original)
					}
				}
			},
			"renew": func(t *rapid.T) { tb.renew() },
			"": func(t *rapid.T) {
				anew, fresh := newTable(tb.key, minBuckets), digest{}
				for original, h := range want {
					hash := tb.tuple(original)
					id := tb.find(hash, original)
					if id == 0 {
						t.Fatalf("%s is not found", original)
					}
					if s := tb.at(id); s.change() != h.change || s.gen != h.gen || s.seq != h.seq {
						t.Fatalf("%s: %+v, want %+v", original, s, h)
					}
					anew.insert(hash, h.change, flow.Opened, h.version)
					if h.gen == tb.gen {
						fresh.count(tb.entry(hash, h.reply, h.state), plus)
					}
				}
				if tb.all != anew.all || tb.fresh != fresh {
					t.Fatalf("digests %v and %v, want %v and %v", tb.all, tb.fresh, anew.all, fresh)
				}
				walked := 0
				for b := range tb.buckets {
					if got, want := tb.buckets[b].digests, anew.buckets[b].digests; got != want {
						t.Fatalf("bucket %d: %v, want %v", b, got, want)
					}
					tb.walkBucket(b, func(_ uint32, s *slot) {
						if tb.bucketOf(tb.tuple(s.original)) != b {
							t.Fatalf("%s is no flow of bucket %d", s.original, b)
						}
						walked++
					})
				}
				if walked != len(want) {
					t.Fatalf("the buckets hold %d flows, want %d", walked, len(want))
				}
			},
		})
	})
}

// A digest depends on a flow's identity and state, and on nothing else.
func TestDigestCovers(t *testing.T) {
	k := hasher{}
	of := func(e flow.Entry) uint64 { return k.entry(k.tuple(e.Original), e.Reply, e.State) }
	for _, base := range []flow.Entry{entryOf(1, flow.Established, 11), mixedOf(3, flow.Established, 11), mixedOf(7, flow.Established, 11), mixedOf(21, flow.Established, 11)} {
		edits := map[string]func(*flow.Entry){
			"client":       func(e *flow.Entry) { e.Original.Src[15]++ },
			"client port":  func(e *flow.Entry) { e.Original.SrcPort++ },
			"VIP":          func(e *flow.Entry) { e.Original.Dst[12]++ },
			"VIP port":     func(e *flow.Entry) { e.Original.DstPort++ },
			"protocol":     func(e *flow.Entry) { e.Original.Proto = flow.UDP },
			"backend":      func(e *flow.Entry) { e.Reply.Src[15]++ },
			"backend net":  func(e *flow.Entry) { e.Reply.Src[2]++ },
			"backend port": func(e *flow.Entry) { e.Reply.SrcPort++ },
			"SNAT address": func(e *flow.Entry) { e.Reply.Dst[15]++ },
			"SNAT port":    func(e *flow.Entry) { e.Reply.DstPort++ },
			"state":        func(e *flow.Entry) { e.State = flow.FinWait },
		}
		seen := map[uint64]string{of(base): "the flow itself"}
		for name, edit := range edits {
			e := base
			edit(&e)
			if other, ok := seen[of(e)]; ok {
				t.Errorf("another %s gives the digest of %s", name, other)
			}
			seen[of(e)] = name
		}
		lived := base
		lived.Remaining, lived.Origin = 1, flow.Synced
		if of(lived) != of(base) {
			t.Error("lifetime or origin enters the digest")
		}
		if (hasher{1}).tuple(base.Original) == k.tuple(base.Original) {
			t.Error("the key does not enter the hash")
		}
	}
}

// Flows spread evenly over the buckets, and so do those of one client.
func TestBucketsAreEven(t *testing.T) {
	const flows = 1 << 14
	tb := newTable(0, 64)
	for i := range flows {
		c := changeOf(entryOf(i, flow.Established, 11))
		tb.insert(tb.tuple(c.original), c, flow.Opened, version{})
	}
	for b := range tb.buckets {
		if n := tb.buckets[b].all.entries; n < flows/64*3/4 || n > flows/64*5/4 {
			t.Errorf("bucket %d has %d of %d flows", b, n, flows)
		}
	}
}

// The journal holds the latest changes up to its limit, by number.
func TestJournal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j := journal{limit: rapid.IntRange(1, 10).Draw(t, "limit")}
		for range 2 {
			n := rapid.IntRange(0, 40).Draw(t, "changes")
			for i := range n {
				j.add(change{remaining: uint32(i + 1)})
			}
			if want := uint64(max(n-j.limit, 0) + 1); j.first() != want || j.last != uint64(n) {
				t.Fatalf("from %d to %d, want %d to %d", j.first(), j.last, want, n)
			}
			for seq := j.first(); seq <= j.last; seq++ {
				if got := j.at(seq).remaining; uint64(got) != seq {
					t.Fatalf("change %d is %d", seq, got)
				}
			}
			j.reset()
		}
	})
}
