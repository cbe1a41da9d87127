package bpf

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"baton/impl/clock"
	"baton/impl/flow"
)

// damages are kinds of damage to the memory of an entry and of its claim. Those of the word are bits
// of types.h.
var damages = map[string]func(t *testing.T, s *programSubject, e flow.Entry){
	"a bit of the backend's address": alter(func(c *rawConn[ipv4]) { c.Reply.Src[3] ^= 1 << 4 }),
	"a bit of the SNAT port":         alter(func(c *rawConn[ipv4]) { c.Reply.Dport ^= 1 << 8 }),
	"a bit of the reply's protocol":  alter(func(c *rawConn[ipv4]) { c.Reply.Proto ^= 1 }),
	"state to dead":                  alter(func(c *rawConn[ipv4]) { c.Word ^= uint64(flow.Established) }),
	"state to one of no protocol":    alter(func(c *rawConn[ipv4]) { c.Word ^= 1 << 3 }),
	"state to one of UDP":            alter(func(c *rawConn[ipv4]) { c.Word ^= 1 << 2 }),
	"a bit of the flow's id":         alter(func(c *rawConn[ipv4]) { c.Word ^= 1 << 40 }),
	"about to be replaced for ever":  alter(func(c *rawConn[ipv4]) { c.Word ^= 1 << 9 }),
	"the last packet in the future":  alter(func(c *rawConn[ipv4]) { c.LastSeen ^= 1 << 62 }),
	"no entry": func(t *testing.T, s *programSubject, e flow.Entry) {
		s.must(s.shared.Conns.Delete(toTuple[ipv4](e.Original)))
	},
	"no claim": func(t *testing.T, s *programSubject, e flow.Entry) {
		s.must(s.shared.Replies.Delete(toTuple[ipv4](e.Reply)))
	},
	"a claim of nobody": func(t *testing.T, s *programSubject, e flow.Entry) {
		other := toTuple[ipv4](e.Original)
		other.Src[3] ^= 1 << 2
		s.must(s.shared.Replies.Put(toTuple[ipv4](e.Reply), other))
	},
	"a claim of the neighbour": func(t *testing.T, s *programSubject, e flow.Entry) {
		other := toTuple[ipv4](e.Original)
		other.Sport = swapPort(e.Original.SrcPort + 1)
		s.must(s.shared.Replies.Put(toTuple[ipv4](e.Reply), other))
	},
	"the neighbour's reply tuple": func(t *testing.T, s *programSubject, e flow.Entry) {
		neighbour := e.Reply
		neighbour.DstPort++
		alter(func(c *rawConn[ipv4]) { c.Reply = toTuple[ipv4](neighbour) })(t, s, e)
	},
}

// alter changes the memory of an entry.
func alter(f func(*rawConn[ipv4])) func(*testing.T, *programSubject, flow.Entry) {
	return func(t *testing.T, s *programSubject, e flow.Entry) {
		var c rawConn[ipv4]
		s.must(s.shared.Conns.Lookup(toTuple[ipv4](e.Original), &c))
		f(&c)
		s.must(s.shared.Conns.Put(toTuple[ipv4](e.Original), c))
	}
}

func walkAll(t *testing.T, s *programSubject) (held []flow.Held) {
	t.Helper()
	for range 1000 {
		end, err := s.Walk(func(h flow.Held) { held = append(held, h) })
		s.must(err)
		if end {
			return held
		}
	}
	t.Fatal("the walk does not end")
	return nil
}

func tuplesOf(entries []flow.Entry) (tuples []flow.Tuple) {
	for _, e := range entries {
		tuples = append(tuples, e.Original)
	}
	return tuples
}

// TestDamageIsSeenAndHealed: in an entry and in its claim, without an effect on other entries.
func TestDamageIsSeenAndHealed(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	for what, damage := range damages {
		t.Run(what, func(t *testing.T) {
			s.reset()
			var entries []flow.Entry
			for i := range uint16(8) {
				entries = append(entries, flow.Entry{
					Original: toVIP(flow.TCP, 40000+i, dnatPort), Reply: dnatReply(flow.TCP, 40000+i, 8081), State: flow.Established, Origin: flow.Synced,
					Remaining: time.Minute,
				})
			}
			s.must(s.Apply(entries))
			for _, h := range walkAll(t, s) {
				if !h.Found || !h.Sound {
					t.Fatalf("%+v, want a sound entry", h)
				}
			}
			hurt := entries[3]
			damage(t, s, hurt)
			sound := map[flow.Tuple]bool{}
			for _, h := range walkAll(t, s) {
				sound[h.Original] = h.Sound
			}
			for i, e := range entries {
				if sound[e.Original] != (i != 3) {
					t.Errorf("entry %d: sound %v", i, sound[e.Original])
				}
			}
			s.must(s.Heal([]flow.Entry{hurt, entries[5]}, nil))
			held, err := s.Examine(tuplesOf(entries))
			s.must(err)
			for _, h := range held {
				at := slices.IndexFunc(entries, func(e flow.Entry) bool { return e.Original == h.Original })
				if want := entries[at]; !h.Found || !h.Sound || h.Reply != want.Reply || h.State != want.State {
					t.Errorf("after healing %+v, want %+v", h, want)
				}
			}
			checkClaims(t, s)
		})
	}
}

// TestHealingSparesWhatPacketsUse: a sound entry stays, whatever Heal is given, and an entry whose
// reply tuple belongs to another flow is not written.
func TestHealingSparesWhatPacketsUse(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	s.must(s.Lease(clock.Never))
	o := toVIP(flow.TCP, 40000, dnatPort)
	s.packet("client0", fromClient(o, syn))
	mine, _, err := s.Lookup(o)
	s.must(err)
	other, rival := mine, mine
	other.State, other.Reply = flow.Established, dnatReply(flow.TCP, 40000, 8082)
	rival.Original = toVIP(flow.TCP, 40009, dnatPort)
	s.must(s.Heal([]flow.Entry{other, rival}, []flow.Tuple{o}))
	if got, found, err := s.Lookup(o); err != nil || !found || got.Reply != mine.Reply || got.State != mine.State {
		t.Errorf("%+v, found %v, %v; want %+v", got, found, err, mine)
	}
	if _, found, err := s.Lookup(rival.Original); found || err != nil {
		t.Errorf("an entry with the reply tuple of another flow is written: %v", err)
	}
	checkClaims(t, s)
}

// TestADamagedEntryThatNobodyKnowsIsRemoved: even one that no other call removes.
func TestADamagedEntryThatNobodyKnowsIsRemoved(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	for _, what := range []string{"state to dead", "a bit of the flow's id", "about to be replaced for ever", "no claim", "a bit of the SNAT port"} {
		s.reset()
		e := flow.Entry{Original: toVIP(flow.TCP, 40000, dnatPort), Reply: dnatReply(flow.TCP, 40000, 8081), State: flow.Established, Origin: flow.Synced}
		s.must(s.Apply([]flow.Entry{e}))
		damages[what](t, s, e)
		s.must(s.Heal(nil, []flow.Tuple{e.Original}))
		var c rawConn[ipv4]
		if err := s.shared.Conns.Lookup(toTuple[ipv4](e.Original), &c); !errors.Is(err, ebpf.ErrKeyNotExist) {
			t.Errorf("%s: the entry is left: %+v, %v", what, c, err)
		}
	}
}

// TestAWalkPassesEachEntryOnce: in parts. After its end it starts over.
func TestAWalkPassesEachEntryOnce(t *testing.T) {
	cfg := testConfig()
	cfg.MaxFlows = 3 * walkBatch
	s := newProgramSubject(t, cfg)
	const flows = 2*walkBatch + 7
	var entries []flow.Entry
	for i := range uint16(flows) {
		entries = append(entries, flow.Entry{Original: toVIP(flow.TCP, 1+i, dnatPort), Reply: dnatReply(flow.TCP, 1+i, 8081), State: flow.Established, Origin: flow.Synced})
	}
	s.must(s.Apply(entries))
	for range 2 {
		times := map[flow.Tuple]int{}
		for _, h := range walkAll(t, s) {
			times[h.Original]++
			if !h.Sound {
				t.Fatalf("%+v is not sound", h)
			}
		}
		for _, e := range entries {
			if times[e.Original] != 1 {
				t.Fatalf("%s is passed %d times", e.Original, times[e.Original])
			}
		}
	}
}

// TestAffinitiesAreSound, as packets make them: a check of the table does not take them for damaged.
func TestAffinitiesAreSound(t *testing.T) {
	s := newProgramSubject(t, testConfig())
	s.must(s.Lease(clock.Never))
	for _, proto := range []flow.Proto{flow.TCP, flow.UDP} {
		s.packet("client0", fromClient(toVIP(proto, 40000, affinePort), syn))
	}
	affinities := 0
	for _, h := range walkAll(t, s) {
		if !h.Sound {
			t.Errorf("%+v is not sound", h)
		}
		if h.Original.IsAffinity() {
			affinities++
		}
	}
	if affinities != 2 {
		t.Errorf("%d affinities, want one of each protocol", affinities)
	}
}
