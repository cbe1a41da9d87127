package bpf

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

func (p *pair) passTime(t *rapid.T) {
	p.now = p.now.Add(time.Duration(rapid.Int64Range(0, int64(40*time.Second)).Draw(t, "passed")))
	p.both("advance", func(s subject) error { s.advance(p.now); return nil })
}

func (p *pair) lease(t *rapid.T) {
	const hour = int64(time.Hour)
	until := p.now.Add(time.Duration(rapid.SampledFrom([]int64{-1, 0, 1, hour, hour, hour, hour, hour, hour, hour}).Draw(t, "for")))
	p.both("lease", func(s subject) error { return s.Lease(until) })
}

func (p *pair) miss(t *rapid.T) {
	policy := rapid.SampledFrom([]dataplane.MissPolicy{dataplane.MissDrop, dataplane.MissAdopt, dataplane.MissGuess}).Draw(t, "policy")
	p.both("miss", func(s subject) error { return s.SetMiss(policy) })
}

func (p *pair) apply(t *rapid.T) {
	entries := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) flow.Entry {
		e := flow.Entry{
			Original: originals.Draw(t, "original"), Reply: replyTuples.Draw(t, "reply"),
			State:     flow.State(rapid.IntRange(int(flow.SynSent), int(flow.Assured)).Draw(t, "state")),
			Origin:    flow.Synced,
			Remaining: time.Duration(rapid.Int64Range(-1, int64(3*time.Hour)).Draw(t, "remaining")),
		}
		if rapid.IntRange(0, 19).Draw(t, "consistent") > 0 { // else it must be refused
			e.Reply.Proto = e.Original.Proto
			if e.Original.Proto == flow.UDP {
				e.State = flow.Unreplied + e.State%2
			} else {
				e.State = flow.SynSent + e.State%4
			}
			if !e.Original.IsAffinity() && rapid.IntRange(0, 3).Draw(t, "direct") == 0 {
				e.Reply = flow.DirectReply(e.Original, e.Reply.Src)
			}
			if e.Original.IsAffinity() {
				e.State = flow.AffinityOf(e.Original, e.Reply.Src, e.Reply.SrcPort).State
				e.Reply.DstPort = 0
			}
		}
		return e
	}), 0, 4).Draw(t, "entries")
	if rapid.Bool().Draw(t, "merge") {
		tuples := p.someTuples(t)
		p.both("merge", func(s subject) error { return s.Merge(entries, tuples) })
		return
	}
	p.both("apply", func(s subject) error { return s.Apply(entries) })
}

// someTuples draws the tuples to delete, usually including one in the table.
func (p *pair) someTuples(t *rapid.T) []flow.Tuple {
	tuples := rapid.SliceOfN(originals, 0, 3).Draw(t, "tuples")
	if e, ok := p.entry(t); ok {
		tuples = append(tuples, e.Original)
	}
	return tuples
}

func (p *pair) delete(t *rapid.T) {
	tuples := p.someTuples(t)
	p.both("delete", func(s subject) error { return s.Delete(tuples) })
}

func (p *pair) sweep(t *rapid.T) {
	since := p.now.Add(-time.Duration(rapid.SampledFrom([]int64{0, int64(time.Minute), 3 * int64(time.Hour), 3 * int64(time.Hour)}).Draw(t, "since")))
	var swept [2][]string
	for i, s := range []subject{p.model, p.programs} {
		entries, err := s.Sweep(p.now, since)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			swept[i] = append(swept[i], entryLine(e))
		}
		slices.Sort(swept[i])
	}
	if len(swept[0]) > 0 {
		p.reached["swept"]++
	}
	if diff := difference(swept[0], swept[1]); diff != "" {
		t.Fatalf("swept (-model +programs):\n%s", diff)
	}
	if diff := difference(p.model.PortsUsed(), p.programs.PortsUsed()); diff != "" {
		t.Fatalf("SNAT ports in use (-model +programs):\n%s", diff)
	}
}

func (p *pair) services(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "often") > 0 {
		t.Skip("seldom: it waits for the kernel")
	}
	all := testConfig().Services
	some := slices.Clone(all[:rapid.IntRange(0, len(all)).Draw(t, "services")])
	fewer := rapid.Bool().Draw(t, "fewer backends")
	for i := range some {
		if fewer {
			some[i].Backends = some[i].Backends[:len(some[i].Backends)/2]
		}
		some[i].Limits = rapid.SampledFrom([]dataplane.Limits{some[i].Limits, {}, {SourceFlows: 1}, {Embryonic: 1}, {SYNChallenge: 1}}).Draw(t, "limits")
		if some[i].Mode.Direct() {
			some[i].Mode = rapid.SampledFrom([]dataplane.Mode{dataplane.DSRL2, dataplane.DSRIPIP}).Draw(t, "mode")
		}
		some[i].Refuse = rapid.Bool().Draw(t, "refuse")
		if rapid.Bool().Draw(t, "weighted") {
			some[i].Weights = rapid.SliceOfN(rapid.IntRange(1, 3), len(some[i].Backends), len(some[i].Backends)).Draw(t, "weights")
		}
	}
	vips := testConfig().VIPs
	answered := vips[:rapid.IntRange(0, len(vips)).Draw(t, "vips")]
	p.both("services", func(s subject) error { return s.SetServices(some, answered) })
}
