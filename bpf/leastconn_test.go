package bpf

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

func leastService(backends ...uint16) dataplane.Service {
	return labService(flow.TCP, leastPort, dataplane.DNAT, dataplane.LeastConn, backends...)
}

// leastConnTests: a new flow goes to the backend with the fewest flows for its weight.
func leastConnTests() []packetTest {
	synSent := func(sport, backend uint16) string {
		return line(toVIP(flow.TCP, sport, leastPort), dnatReply(flow.TCP, sport, backend), flow.SynSent, flow.Opened, time.Minute)
	}
	opens := func(sport, backend uint16) step {
		return in(toVIP(flow.TCP, sport, leastPort), syn, forwarded(dnatReply(flow.TCP, sport, backend).Reverse()))
	}
	// Of the peer: so many flows of a backend, from a port on.
	known := func(state flow.State, sport, backend uint16, n int) (entries []flow.Entry) {
		for i := range uint16(n) {
			entries = append(entries, flow.Entry{
				Original: toVIP(flow.TCP, sport+i, leastPort), Reply: dnatReply(flow.TCP, sport+i, backend),
				State: state, Origin: flow.Synced, Remaining: time.Second,
			})
		}
		return entries
	}
	lines := func(entries []flow.Entry) (all []string) {
		for _, e := range entries {
			all = append(all, entryLine(e))
		}
		return all
	}
	become := func(s dataplane.Service) step {
		return do(func(d dataplane.Dataplane) error { return d.SetServices([]dataplane.Service{s}, testConfig().VIPs) })
	}
	weighted := func(weights []int, backends ...uint16) dataplane.Service {
		s := leastService(backends...)
		s.Weights = weights
		return s
	}
	open, closed := known(flow.Established, 50000, 8081, 3), known(flow.Closed, 51000, 8082, 4)
	return []packetTest{{
		rule:   "least-conn: equals take turns",
		steps:  []step{opens(40000, 8081), opens(40001, 8082), opens(40002, 8083), opens(40003, 8081)},
		table:  []string{synSent(40000, 8081), synSent(40001, 8082), synSent(40002, 8083), synSent(40003, 8081)},
		events: []string{synSent(40000, 8081), synSent(40001, 8082), synSent(40002, 8083), synSent(40003, 8081)},
	}, {
		rule: "least-conn: replicated flows count from the next sweep on, closed ones do not",
		steps: []step{
			become(leastService(8081, 8082)), apply(open...), apply(closed...), sweep(0, 0),
			opens(40000, 8082),
		},
		table:  append(append([]string{synSent(40000, 8082)}, lines(open)...), lines(closed)...),
		events: []string{synSent(40000, 8082)},
	}, {
		rule: "least-conn: a flow that ends counts until the next sweep",
		steps: []step{
			become(leastService(8081, 8082)), apply(open[:2]...), sweep(0, 0),
			opens(40000, 8082), sweep(time.Second, 2), opens(40001, 8081),
		},
		table:  []string{synSent(40000, 8082), synSent(40001, 8081)},
		events: []string{synSent(40000, 8082), synSent(40001, 8081)},
	}, {
		rule: "least-conn: the weights are shares of the flows",
		steps: []step{
			become(weighted([]int{1, 3}, 8081, 8082)),
			opens(40000, 8082), opens(40001, 8082), opens(40002, 8081), opens(40003, 8082), opens(40004, 8082),
		},
		table:  []string{synSent(40000, 8082), synSent(40001, 8082), synSent(40002, 8081), synSent(40003, 8082), synSent(40004, 8082)},
		events: []string{synSent(40000, 8082), synSent(40001, 8082), synSent(40002, 8081), synSent(40003, 8082), synSent(40004, 8082)},
	}, {
		rule: "least-conn: other backends and weights keep the counts of those that stay",
		steps: []step{
			become(leastService(8081, 8082)), apply(open...), sweep(0, 0),
			become(weighted([]int{1, 1, 3}, 8083, 8082, 8081)),
			opens(40000, 8083), opens(40001, 8082),
		},
		table:  append([]string{synSent(40000, 8083), synSent(40001, 8082)}, lines(open)...),
		events: []string{synSent(40000, 8083), synSent(40001, 8082)},
	}}
}

// TestProgramsBalanceByLoadAsTheModel: flows of one service open and end, on either node, with
// changing backends and weights. Each new flow must get the backend that the model chooses.
func TestProgramsBalanceByLoadAsTheModel(t *testing.T) { balanceByLoad(t) }

// TestProgramsBalanceByLoadAsTheModelOverIPv6 does the same over IPv6.
func TestProgramsBalanceByLoadAsTheModelOverIPv6(t *testing.T) {
	overIPv6(t)
	balanceByLoad(t)
}

func balanceByLoad(t *testing.T) {
	cfg := testConfig()
	cfg.MaxFlows = 64
	reached := reach{}
	programs, specification := newProgramSubject(t, cfg), newModelSubject(t, cfg)
	rapid.Check(t, func(t *rapid.T) {
		programs.reset()
		specification.reset()
		p := &pair{t: t, model: specification, programs: programs, now: origin, talk: conversation{}, reached: reached}
		p.both("lease", func(s subject) error { return s.Lease(clock.Never) })
		p.rebalance(t)
		t.Repeat(map[string]func(*rapid.T){
			"":          p.compare,
			"open":      p.openOfLeast,
			"open more": p.openOfLeast,
			"replicate": p.replicateToLeast,
			"reset":     p.resetOne,
			"age":       p.age,
			"delete":    p.delete,
			"sweep":     p.sweep,
			"backends": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "often") > 0 {
					t.Skip("seldom: it waits for the kernel")
				}
				p.rebalance(t)
			},
		})
	})
	if testing.Short() {
		return // as in reach.check
	}
	for _, w := range []string{"client0 forward tcp", "backend0 forward tcp", "swept", "established synced", "closed opened"} {
		if reached[w] == 0 {
			t.Errorf("the sequences never reached %q", w)
		}
	}
}

// age lets enough time pass that unanswered flows are swept occasionally.
func (p *pair) age(t *rapid.T) {
	p.now = p.now.Add(time.Duration(rapid.Int64Range(0, int64(90*time.Second)).Draw(t, "passed")))
	p.both("advance", func(s subject) error { s.advance(p.now); return nil })
	p.sweep(t)
}

func (p *pair) rebalance(t *rapid.T) {
	ports := rapid.SampledFrom([][]uint16{{8081, 8082, 8083}, {8083, 8081}, {8082, 8083, 8081}, {}}).Draw(t, "backends")
	s := leastService(ports...)
	if rapid.Bool().Draw(t, "weighted") {
		s.Weights = rapid.SliceOfN(rapid.IntRange(1, 3), len(ports), len(ports)).Draw(t, "weights")
	}
	p.both("services", func(d subject) error { return d.SetServices([]dataplane.Service{s}, testConfig().VIPs) })
}

func (p *pair) openOfLeast(t *rapid.T) {
	frame := fromClient(toVIP(flow.TCP, rapid.Uint16Range(42000, 42047).Draw(t, "sport"), leastPort), syn)
	p.send("client0", p.talk.number(t, p.model, "client0", frame))
}

func (p *pair) replicateToLeast(t *rapid.T) {
	e := flow.Entry{
		State: rapid.SampledFrom([]flow.State{flow.Established, flow.Established, flow.Closed}).Draw(t, "state"), Origin: flow.Synced,
		Remaining: time.Minute, Original: toVIP(flow.TCP, rapid.Uint16Range(42000, 42047).Draw(t, "sport"), leastPort),
	}
	e.Reply = dnatReply(flow.TCP, e.Original.SrcPort, rapid.Uint16Range(8081, 8083).Draw(t, "backend"))
	p.both("apply", func(d subject) error { return d.Apply([]flow.Entry{e}) })
}

// resetOne makes a backend refuse an opening flow.
func (p *pair) resetOne(t *rapid.T) {
	e, ok := p.entry(t)
	if !ok {
		t.Skip("no entries")
	}
	p.send("backend0", p.talk.number(t, p.model, "backend0", fromBackend(e.Reply, rst|ack)))
}
