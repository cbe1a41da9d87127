package sim_test

import (
	"encoding/json"
	"runtime"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/plan"
	"baton/sim"
	"baton/sim/campaign"
)

// sample lists scenarios that together use every fault and every kind of traffic.
func sample(t testing.TB) []*plan.Plan {
	var plans []*plan.Plan
	for _, name := range []string{"restored-master-does-not-preempt", "freeze-and-thaw", "sync-cut-and-heal", "operator-handover",
		"control-restored-master-preempts", "graceful-stop", "library/backends/backend-loses-power", "library/backends/backend-freezes",
		"library/ipv6/families-side-by-side", "library/l2/master-port-flaps", "library/links/lossy-clients", "library/partition/bfd-filtered-on-one-path"} {
		plans = append(plans, parse(t, "../scenarios/"+name+".scn"))
	}
	return plans
}

// worse returns the plan with chaos of every kind.
func worse(t testing.TB, p *plan.Plan) *plan.Plan {
	t.Helper()
	text := plan.Print(p) + campaign.DrawChaos(sim.NewRandom(7, "test"), 1)
	w, err := plan.Parse(p.File, []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return w
}

// TestSameSeedSameTrace: a run is a function of plan, seed and chaos.
func TestSameSeedSameTrace(t *testing.T) {
	for i, p := range sample(t) {
		cfg := sim.Config{Seed: uint64(1 + i)}
		for _, p := range []*plan.Plan{p, worse(t, p)} {
			_, first := execute(t, p, cfg)
			was := runtime.GOMAXPROCS(1)
			_, second := execute(t, p, cfg)
			runtime.GOMAXPROCS(max(2, was))
			_, third := execute(t, p, cfg)
			runtime.GOMAXPROCS(was)
			if a, b, c := hash(t, first), hash(t, second), hash(t, third); a != b || a != c {
				t.Fatalf("%s seed %d: traces differ: %x, with GOMAXPROCS 1 %x, with 2 %x; %s", p.Name, cfg.Seed, a, b, c, difference(first, second))
			}
		}
	}
}

// TestAnotherSeedAnotherTrace: the seed matters.
func TestAnotherSeedAnotherTrace(t *testing.T) {
	p := parse(t, "../scenarios/crash-master.scn")
	_, a := execute(t, p, sim.Config{Seed: 1})
	_, b := execute(t, p, sim.Config{Seed: 2})
	for i := range a {
		if a[i].Meta != nil {
			a[i].Meta = nil
		}
	}
	for i := range b {
		if b[i].Meta != nil {
			b[i].Meta = nil
		}
	}
	if hash(t, a) == hash(t, b) {
		t.Fatal("two seeds gave one trace")
	}
}

// TestComputedExchangesEqualThosePacketByPacket: express.go computes exchanges at once, with the
// outcome of packets that travel one by one.
func TestComputedExchangesEqualThosePacketByPacket(t *testing.T) {
	for _, p := range sample(t) {
		for seed := uint64(1); seed <= 3; seed++ {
			for _, p := range []*plan.Plan{p, worse(t, p)} {
				_, fast := execute(t, p, sim.Config{Seed: seed})
				_, slow := execute(t, p, sim.Config{Seed: seed, EveryPacket: true})
				if hash(t, fast) != hash(t, slow) {
					t.Fatalf("%s seed %d: %s", p.Name, seed, difference(slow, fast))
				}
			}
		}
	}
}

// difference shows the first event in which two traces differ.
func difference(want, got []trace.Event) string {
	for i := range want {
		if i == len(got) {
			return "the second trace ends early"
		}
		a, _ := json.Marshal(want[i])
		b, _ := json.Marshal(got[i])
		if string(a) != string(b) {
			return "first difference:\n" + string(a) + "\n" + string(b)
		}
	}
	return "the second trace is longer"
}
