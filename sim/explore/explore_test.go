package explore

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"baton/impl/arbiter"
	"baton/impl/driver"
	"baton/impl/node"
	"baton/scenarios/plan"
)

var (
	depthFlag  = flag.Int("explore.depth", 4, "choices from a beginning")
	faultsFlag = flag.Int("explore.faults", 2, "faults among them")

	directionsFlag = flag.Bool("explore.directions", false, "cut single directions of single paths")

	afterSyncFlag = flag.Bool("explore.after-sync", false, "lb1 asks for the role back")
)

// TestThePairKeepsItsClaims walks to a small depth first, because a violation found there needs no
// walk of minutes.
func TestThePairKeepsItsClaims(t *testing.T) {
	opts := Defaults()
	opts.Faults, opts.MaxViolations = *faultsFlag, 100
	opts.Directions = *directionsFlag
	if *afterSyncFlag {
		opts.Preempt = node.PreemptAfterSync
	}
	for _, depth := range []int{min(2, *depthFlag), *depthFlag} {
		opts.Depth = depth
		if !t.Run(fmt.Sprintf("depth %d", depth), func(t *testing.T) { keepsItsClaims(t, opts) }) {
			return
		}
	}
}

func keepsItsClaims(t *testing.T, opts Options) {
	began := time.Now()
	r, err := Run(context.Background(), opts, func(p Progress) {
		t.Logf("depth %d: %d states, %d transitions, %d waiting", p.Depth, p.States, p.Transitions, p.Waiting)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v, in %v; new ones by depth: %v", r, time.Since(began).Round(time.Millisecond), r.Levels)
	t.Logf("%d pairs of roles: %v", len(r.Roles), r.Roles)
	for _, v := range r.Violations {
		t.Errorf("%v\n%s", v, v.Scenario)
	}
}

// TestEachClaimCanFail plants a bug for each claim: by an unsafe setting of the nodes if there is
// one, otherwise by tampering with the world.
func TestEachClaimCanFail(t *testing.T) {
	for name, test := range map[string]struct {
		check    string
		opts     Options
		scenario bool // it comes with a scenario that parses
	}{
		"gates off":               {CheckGates, Options{Depth: 3, GatesOff: true}, true},
		"preempt immediate":       {CheckForwarders, Options{Depth: 2, Preempt: node.PreemptImmediate}, false},
		"announce before install": {CheckAnnounce, Options{Depth: 3, AnnounceEarly: true}, true},
		"an epoch not raised":     {CheckEpoch, Options{Depth: 3, sabotage: forgetEpoch}, false},
		"a hold without end":      {CheckStranded, Options{Depth: 1, sabotage: holdForEver}, false},
		"a daemon that spins":     {CheckRest, Options{Depth: 1, sabotage: disagree}, false},
		"a forgetful arbiter":     {CheckForwarders, Options{Depth: 4, Arbiter: true, MaxViolations: 1, sabotage: forgetRecord}, false},
	} {
		t.Run(name, func(t *testing.T) {
			opts := test.opts
			opts.Faults, opts.Messages, opts.Flows, opts.States = 1, 8, 1, 4000
			r, err := Run(context.Background(), opts, nil)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(r.Violations, func(v Violation) bool { return v.Check == test.check })
			if i < 0 {
				t.Fatalf("%d states, and no violation of %s; found %v", r.States, test.check, r.Violations)
			}
			v := r.Violations[i]
			t.Logf("%v\n%s", v, v.Scenario)
			if test.scenario {
				if _, err := plan.Parse("explored.scn", []byte(v.Scenario)); err != nil || v.Scenario == "" {
					t.Errorf("scenario %q: %v", v.Scenario, err)
				}
			}
		})
	}
}

// forgetEpoch makes the world expect a larger epoch than the nodes know.
func forgetEpoch(w *world) {
	for i := range w.sides {
		w.sides[i].knows = max(w.sides[i].knows, 100)
	}
}

// holdForEver replaces both nodes by ones whose recovery delay does not end.
func holdForEver(w *world) {
	replace(w, func(cfg *node.Config) { cfg.Hold = time.Hour })
}

// disagree replaces both nodes by ones that expect another peer and therefore reset every stream.
func disagree(w *world) {
	replace(w, func(cfg *node.Config) { cfg.Peer = "lb9" })
}

func replace(w *world, edit func(*node.Config)) {
	for i := range w.sides {
		s := &w.sides[i]
		w.crash(s)
		w.boot(s)
		cfg := w.config(s)
		edit(&cfg)
		s.core, _ = node.New(cfg, w.now)
		s.driver = driver.New(s.core, w.ports(i))
		s.driver.KeepEffects()
		w.input(s, node.Link{Name: "client0", Up: true})
		w.input(s, node.Dataplane{Ready: true})
	}
}

// Cloning does not change behaviour: after all sequences of two choices, and after a long one, the
// clone's state equals the original's.
func TestCopiesBehaveLikeOriginals(t *testing.T) {
	opts := Options{Depth: 2, Faults: 2, Messages: 8, Flows: 2}
	for _, root := range roots {
		compare := func(way []choice, copied *world) {
			t.Helper()
			original := root.begin(&opts)
			for _, c := range way {
				original.apply(c)
			}
			if copied.fingerprint() != original.fingerprint() || !reflect.DeepEqual(statuses(copied), statuses(original)) {
				t.Fatalf("%s: the copy differs after %v", root.says, way)
			}
		}
		begin := root.begin(&opts)
		for _, first := range begin.choices() {
			one := begin.clone()
			one.apply(first)
			for _, second := range one.choices() {
				two := one.clone()
				two.apply(second)
				compare([]choice{first, second}, two)
			}
		}
		long, at := []choice{}, begin.clone()
		for i := range 60 {
			at = at.clone()
			all := at.choices()
			c := all[i*7%len(all)]
			at.apply(c)
			long = append(long, c)
		}
		compare(long, at)
	}
}

func statuses(w *world) (all []node.Status) {
	for i := range w.sides {
		if s := &w.sides[i]; s.core != nil {
			all = append(all, s.core.Status())
		}
	}
	return all
}

// With an arbiter no partition excuses two forwarders.
func TestAnArbiterSettlesEveryPartition(t *testing.T) {
	opts := Defaults()
	opts.Depth, opts.Arbiter = 3, true
	r, err := Run(context.Background(), opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	for _, v := range r.Violations {
		t.Error(v)
	}
}

// With keep-serving the same holds while one direction of one path works, or while every node
// reaches the arbiter.
func TestKeepServingLeavesOneForwarderUnlessParted(t *testing.T) {
	for name, lost := range map[string][2]bool{
		"both reach it at first": {}, "lb1 has lost it": {true, false}, "both have lost it": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			opts := Options{Depth: 4, Faults: 3, Messages: 2, Arbiter: true, Policy: node.KeepServing, lost: lost, only: losing}
			r, err := Run(context.Background(), opts, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(r)
			for _, v := range r.Violations {
				t.Error(v)
			}
		})
	}
}

// The price of keep-serving: partitioned from lb2 while only lb2 reaches the arbiter, lb1 keeps
// forwarding beside it. If no node reaches the arbiter there is one forwarder; with fail-closed
// there is never more than one.
func TestTheWeaknessOfKeepServing(t *testing.T) {
	for name, test := range map[string]struct {
		policy node.Policy
		lost   [2]bool
		two    bool
	}{
		"lb1 has lost it":              {node.KeepServing, [2]bool{true, false}, true},
		"both have lost it":            {node.KeepServing, [2]bool{true, true}, false},
		"lb1 has lost it, fail-closed": {node.FailClosed, [2]bool{true, false}, false},
	} {
		t.Run(name, func(t *testing.T) {
			opts := Options{Depth: 6, Faults: 2, Messages: 2, Arbiter: true, Policy: test.policy, lost: test.lost, strict: true, only: parting}
			r, err := Run(context.Background(), opts, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(r)
			if found := slices.ContainsFunc(r.Violations, func(v Violation) bool { return v.Check == CheckForwarders }); found != test.two {
				t.Errorf("two forwarders: %v, want %v; %v", found, test.two, r.Violations)
			}
		})
	}
}

// With a gateway the pair keeps the same claims as without an arbiter.
func TestAGatewayKeepsThePairsClaims(t *testing.T) {
	opts := Defaults()
	opts.Depth, opts.Gateway = 3, true
	r, err := Run(context.Background(), opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	for _, v := range r.Violations {
		t.Error(v)
	}
}

// A gateway does not decide between two nodes that both reach it: partitioned, both forward. An
// arbiter with a record prevents that.
func TestTheWeaknessOfAGateway(t *testing.T) {
	for name, test := range map[string]struct {
		opts Options
		two  bool
	}{
		"a gateway": {Options{Gateway: true}, true},
		"etcd":      {Options{Arbiter: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			opts := test.opts
			opts.Depth, opts.Faults, opts.Messages, opts.strict, opts.only = 6, 2, 2, true, parting
			r, err := Run(context.Background(), opts, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(r)
			if found := slices.ContainsFunc(r.Violations, func(v Violation) bool { return v.Check == CheckForwarders }); found != test.two {
				t.Errorf("two forwarders: %v, want %v; %v", found, test.two, r.Violations)
			}
		})
	}
}

// parting selects the choices of a walk that only partitions the nodes.
func parting(c choice) bool { return c.verb == cutsOneWay || c.verb == beats || c.verb == waits }

// losing selects those of a walk that also loses the arbiter, and freezes and kills daemons.
func losing(c choice) bool {
	return parting(c) || slices.Contains([]verb{heals, loses, reconnects, freezes, thaws, kills, restores, crashes}, c.verb)
}

// forgetRecord partitions the nodes and makes the arbiter lose its record, like a store restored
// from an old snapshot.
func forgetRecord(w *world) {
	w.cut = [2][2]bool{{true, true}, {true, true}}
	w.store.register.Record = arbiter.Record{}
	w.store.register.Revision++
}

func TestAWalkIsTheSameEveryTime(t *testing.T) {
	opts := Options{Depth: 3, Faults: 1, Messages: 2, Flows: 1, States: 300, MaxViolations: 10}
	first, err1 := Run(context.Background(), opts, nil)
	second, err2 := Run(context.Background(), opts, nil)
	if err1 != nil || err2 != nil || !reflect.DeepEqual(first, second) {
		t.Errorf("two walks differ: %+v (%v), %+v (%v)", first, err1, second, err2)
	}
}

func TestBoundsAreHeld(t *testing.T) {
	for name, opts := range map[string]Options{
		"no depth":           {Messages: 1},
		"no messages":        {Depth: 1},
		"negative faults":    {Depth: 1, Messages: 1, Faults: -1},
		"more than 8 flows":  {Depth: 1, Messages: 1, Flows: 9},
		"depth out of range": {Depth: 256, Messages: 1},
	} {
		if _, err := Run(context.Background(), opts, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	r, err := Run(context.Background(), Options{Depth: 3, Messages: 4, States: 10}, nil)
	if err != nil || r.Complete {
		t.Errorf("a walk of 10 states: complete %v, %v", r.Complete, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Options{Depth: 3, Messages: 4}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled walk: %v", err)
	}
}

// BenchmarkWalk reports how many states are visited in a second.
func BenchmarkWalk(b *testing.B) {
	states := 0
	for b.Loop() {
		r, err := Run(context.Background(), Options{Depth: 3, Faults: 2, Messages: 8, Flows: 1}, nil)
		if err != nil {
			b.Fatal(err)
		}
		states += r.States
	}
	b.ReportMetric(float64(states)/b.Elapsed().Seconds(), "states/s")
}
