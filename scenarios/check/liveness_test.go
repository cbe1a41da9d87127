package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// lasting is a run of a minute without faults: lb1 is Master from 100 on, and both tables are complete
// from 300 on. Tests add the faults.
func lasting() *tape {
	t := &tape{}
	t.add(-900, "", trace.Event{Kind: trace.KindMeta, Meta: &trace.Meta{Version: trace.Version, Scenario: "s", World: plan.Sim,
		SUT: "reference", Seed: 7, Detect: trace.Dur(150 * time.Millisecond)}})
	for _, node := range []string{"lb1", "lb2"} {
		t.role(-800, node, "Init", "Backup", "LinksUp", "DataplaneReady")
	}
	t.step(0, plan.VerbWait, "begin")
	t.promote(100, "lb1", 100_000)
	t.sync(300, "lb2", "insync", 2, 20*time.Millisecond)
	t.step(300, plan.VerbWait, "end")
	t.replica(1500, "lb1", "aa")
	t.replica(1500, "lb2", "aa")
	for at := 1000; at <= 60_000; at += 1000 {
		t.totals(float64(at), trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Sessions: 2, Opened: 2, Sent: 20, Received: 20})
		for _, node := range []string{"lb1", "lb2"} {
			t.loop(float64(at), node, trace.Loop{Timers: 50, Idle: 2})
		}
	}
	t.step(60_000, plan.VerbEnd, "begin")
	t.step(60_010, plan.VerbEnd, "end")
	t.totals(60_011, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 2, Sent: 100, Received: 100})
	return t
}

func (t *tape) loop(at float64, node string, l trace.Loop) {
	l.For = trace.Dur(time.Second)
	t.add(at, node, trace.Event{Kind: trace.KindLoop, Loop: &l})
}

// entries records a node's report of its table size.
func (t *tape) entries(at float64, node string, n int) {
	t.add(at, node, trace.Event{Kind: trace.KindReplica, Replica: &trace.Replica{Entries: n, Digest: "bb"}})
}

// struck records a fault that takes effect at once.
func (t *tape) struck(at float64, verb, target string) {
	t.fault(at, verb, target, "begin")
	t.fault(at, verb, target, "receipt")
}

// until ends a node's last lease before its time.
func (t *tape) until(at float64, node string) { t.lease(at, node, at) }

// over moves the role from one node to the other.
func (t *tape) over(at float64, from, to string) {
	t.until(at-5, from)
	t.role(at-5, from, "Master", "Backup")
	t.promote(at, to, 100_000)
}

// makeWay records that lb2 claims, lb1 yields to it, and lb2 forwards some time later.
func (t *tape) makeWay(at, after float64) {
	t.role(at-0.1, "lb2", "Backup", "Claiming", claimGates...)
	t.until(at, "lb1")
	t.role(at, "lb1", "Master", "Backup")
	t.lease(at+after, "lb2", 100_000)
	t.role(at+after, "lb2", "Claiming", "Master", claimGates...)
}

// TestLiveness has, for each clause of the liveness checks, a trace that passes and one that fails.
func TestLiveness(t *testing.T) {
	both := func(t *tape, at float64) {
		t.struck(at, fault.Cut, "lb1<->lb2")
	}
	oneHealed := func(t *tape) { // from 10 s on only one direction is left, healed just before
		t.struck(9_000, fault.Cut, "lb1->lb2 via clients")
		t.struck(9_800, fault.Heal, "")
		t.struck(10_000, fault.Cut, "lb1<->lb2 via sync")
		t.struck(10_000, fault.Cut, "lb2->lb1 via clients")
	}
	bothHealed := func(t *tape, clients, sync float64) { // from 10 s on only one direction is left, healed just before on both paths
		t.struck(9_000, fault.Cut, "lb1->lb2")
		t.struck(clients, fault.Heal, "lb1->lb2 via clients")
		t.struck(sync, fault.Heal, "lb1->lb2 via sync")
		t.struck(10_000, fault.Cut, "lb2->lb1")
	}
	filteredAfterHeal := func(t *tape, healed float64, cut string) { // from 10 s on only the stream is left
		t.struck(healed-800, fault.Cut, cut)
		t.struck(healed, fault.Heal, "")
		t.struck(10_000, fault.Cut, "bfd lb1<->lb2")
	}
	filteredAfterThaw := func(t *tape, lost bool) { // lb2 was frozen, and from 10 s on only the stream is left
		t.struck(8_000, fault.Freeze, "lb2")
		t.struck(9_800, fault.Thaw, "lb2")
		t.role(9_801, "lb2", "Backup", "Backup")
		if lost {
			t.sync(9_801, "lb2", "lost", 2, 0)
		}
		t.struck(10_000, fault.Cut, "bfd lb1<->lb2")
	}
	for _, test := range []struct {
		name, check, lines string
		edit               func(*tape)
		want               Outcome
		says               string
	}{
		{"a second forwarder for a moment", plan.Served, "", func(t *tape) { t.lease(20_000, "lb2", 20_100) }, Pass, ""},
		{"nobody forwards until the next fault", plan.Served, "", func(t *tape) {
			t.until(30_000, "lb1")
			t.struck(40_000, fault.Crash, "lb1")
			t.promote(40_150, "lb2", 100_000)
		}, Fail, "no node forwards from +30.000s to +40.000s"},
		{"nothing happens", plan.Served, "", func(*tape) {}, Pass, "in each of 1 stretches"},
		{"no node forwards", plan.Served, "", func(t *tape) { t.until(30_000, "lb1") }, Fail, "no node forwards from +30.000s"},
		{"the survivor takes over", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Crash, "lb1")
			t.promote(2150, "lb2", 100_000)
		}, Pass, "in each of 1 stretches"},
		{"the survivor of a node that ends by itself takes over", plan.Served, "", func(t *tape) {
			t.add(20_000, "lb1", trace.Event{Kind: trace.KindDied, Died: &trace.Died{Why: "panic: no"}})
			t.promote(20_150, "lb2", 100_000)
		}, Pass, ""},
		{"the survivor of a node that ends by itself does not take over", plan.Served, "", func(t *tape) {
			t.add(20_000, "lb1", trace.Event{Kind: trace.KindDied, Died: &trace.Died{Why: "panic: no"}})
		}, Fail, "only lb1 forwards, but it cannot serve"},
		{"a second forwarder twice for a moment", plan.Served, "", func(t *tape) {
			t.lease(20_000, "lb2", 20_100)
			t.lease(21_000, "lb2", 21_100)
			t.lease(22_000, "lb2", 22_100)
		}, Pass, ""},
		{"the first of two nodes has the whole table, and begins late", plan.Served, "", func(t *tape) {
			t.sync(3000, "lb2", "snapshot", 1, 0)
			t.struck(10_000, fault.Cut, "lb1->backends")
			t.until(10_000, "lb1")
			t.promote(24_000, "lb1", 100_000)
		}, Fail, "no node forwards from +21.000s to +23.999s"},
		{"the one that can serve has not reported its table since its thaw", plan.Served, "config lb1 track.targets=backends\n", func(t *tape) {
			t.struck(5000, fault.Freeze, "lb2")
			t.struck(6000, fault.Cut, "lb1->backends")
			t.struck(7000, fault.Thaw, "lb2")
			t.until(21_900, "lb1")
			t.promote(22_000, "lb2", 100_000)
		}, Pass, ""},
		{"neither has it", plan.Served, "", func(t *tape) {
			t.sync(3000, "lb2", "snapshot", 1, 0)
			t.struck(10_000, fault.Kill, "lb1")
			t.struck(10_001, fault.Restore, "lb1")
			t.promote(24_000, "lb1", 100_000)
		}, Pass, ""},
		{"the survivor does not take over", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Crash, "lb1")
		}, Fail, "no node forwards"},
		{"the survivor takes over when the repair may just take so long", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Crash, "lb1")
			t.promote(12_900, "lb2", 100_000)
		}, Pass, ""},
		{"the survivor takes over too late", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Crash, "lb1")
			t.promote(13_100, "lb2", 100_000)
		}, Fail, "lb2 could serve and had 11s to begin"},
		{"a damped survivor without a table has longer", plan.Served, "", func(t *tape) {
			t.sync(1500, "lb2", "snapshot", 1, 0)
			t.struck(2000, fault.Crash, "lb1")
			t.promote(20_000, "lb2", 100_000)
		}, Pass, ""},
		{"a damped survivor without a table, too late", plan.Served, "", func(t *tape) {
			t.sync(1500, "lb2", "snapshot", 1, 0)
			t.struck(2000, fault.Crash, "lb1")
			t.promote(21_000, "lb2", 100_000)
		}, Fail, "and had 18.5s"},
		{"a damped survivor of a MASTER that could not read its table, and said so, has longer", plan.Served, "", func(t *tape) {
			t.struck(1500, fault.Map, "unread lb1")
			t.gate(1600, "lb2", gateInSync, false)
			t.struck(2000, fault.Freeze, "lb1")
			t.promote(20_000, "lb2", 100_000)
		}, Pass, ""},
		{"a damped survivor of a MASTER that could not read its table, and did not say so", plan.Served, "", func(t *tape) {
			t.struck(1500, fault.Map, "unread lb1")
			t.struck(2000, fault.Freeze, "lb1")
			t.promote(20_000, "lb2", 100_000)
		}, Fail, "and had 11s"},
		{"a damped survivor of a MASTER that can read its table again", plan.Served, "", func(t *tape) {
			t.struck(1500, fault.Map, "unread lb1")
			t.gate(1600, "lb2", gateInSync, false)
			t.struck(1700, fault.Mend, "lb1")
			t.sync(1800, "lb2", "insync", 2, 20*time.Millisecond)
			t.struck(2000, fault.Freeze, "lb1")
			t.promote(20_000, "lb2", 100_000)
		}, Fail, "and had 11s"},
		{"nobody is left to serve", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Crash, "lb1")
			t.struck(2000, fault.Freeze, "lb2")
		}, Pass, ""},
		{"only a node without its targets forwards", plan.Served, "config track.targets=backends\n", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->backends")
		}, Fail, "only lb1 forwards, but it cannot serve"},
		{"only the other node without its targets forwards", plan.Served, "config track.targets=backends\n", func(t *tape) {
			t.over(1800, "lb1", "lb2")
			t.struck(2000, fault.Cut, "lb2->backends")
		}, Fail, "only lb2 forwards, but it cannot serve"},
		{"the node with its targets takes over", plan.Served, "config track.targets=backends\n", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->backends")
			t.over(3000, "lb1", "lb2")
		}, Pass, ""},
		{"both have lost their targets", plan.Served, "config track.targets=backends\n", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->backends")
			t.struck(2000, fault.Cut, "lb2->backends")
			t.until(20_000, "lb1")
		}, Pass, ""},
		{"the way back from a target is cut", plan.Served, "config track.targets=backends\n", func(t *tape) {
			t.struck(2000, fault.Cut, "backends->lb1")
		}, Fail, "only lb1 forwards, but it cannot serve"},
		{"a target that one node tracks, in this world", plan.Served, "[sim] config lb1 track.targets=backends\n", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->backends")
		}, Fail, "only lb1 forwards, but it cannot serve"},
		{"a target that the other node tracks", plan.Served, "config lb2 track.targets=backends\n", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->backends")
		}, Pass, ""},
		{"a target that is tracked in the other world", plan.Served, "[netns] config lb1 track.targets=backends\n", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->backends")
		}, Pass, ""},
		{"the gateway that decides is cut off", plan.Served, "config arbiter.gateway=backend1\n", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->backend1")
		}, Fail, "only lb1 forwards, but it cannot serve"},
		{"a target that nobody tracks", plan.Served, "", func(t *tape) { t.struck(2000, fault.Cut, "lb1->backends") }, Pass, ""},
		{"a handover takes a moment", plan.Served, "", func(t *tape) {
			t.role(39_990, "lb1", "Master", "Yielding")
			t.until(39_990, "lb1")
			t.promote(40_002, "lb2", 100_000)
		}, Pass, ""},
		{"a handover in which the lease ends late", plan.Served, "", func(t *tape) {
			t.role(39_980, "lb1", "Master", "Yielding")
			t.until(39_990, "lb1")
			t.promote(40_002, "lb2", 100_000)
		}, Pass, ""},
		{"a handover takes a detection time", plan.Served, "", func(t *tape) {
			t.role(40_000, "lb1", "Master", "Yielding")
			t.until(40_000, "lb1")
			t.promote(40_151, "lb2", 100_000)
		}, Pass, ""},
		{"a gap long after a handover was taken back", plan.Served, "", func(t *tape) {
			t.role(39_000, "lb1", "Master", "Yielding")
			t.until(39_990, "lb1")
			t.promote(40_002, "lb2", 100_000)
		}, Fail, "no node forwards from +39.990s"},
		{"a gap long before a handover", plan.Served, "", func(t *tape) {
			t.until(39_000, "lb1")
			t.role(39_990, "lb1", "Master", "Yielding")
			t.promote(40_002, "lb2", 100_000)
		}, Fail, "no node forwards from +39.000s"},
		{"a handover takes long", plan.Served, "", func(t *tape) {
			t.role(39_000, "lb1", "Master", "Yielding")
			t.until(39_000, "lb1")
			t.promote(40_000, "lb2", 100_000)
		}, Fail, "no node forwards from +39.000s"},
		{"a MASTER makes way for a deaf peer", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->lb2")
			t.makeWay(40_000, 152)
		}, Pass, ""},
		{"a MASTER makes way for a deaf peer, which then takes long", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->lb2")
			t.makeWay(40_000, 170)
		}, Fail, "no node forwards from +40.000s"},
		{"a MASTER makes way for a peer that is deaf on each path with heartbeats", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->lb2 via sync")
			t.struck(2000, fault.Cut, "lb1->lb2 via clients")
			t.makeWay(40_000, 152)
		}, Pass, ""},
		{"a MASTER makes way for a peer that could hear it", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->lb2 via sync")
			t.makeWay(40_000, 152)
		}, Fail, "no node forwards from +40.000s"},
		{"a MASTER gives up, and its deaf peer claims later", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->lb2")
			t.until(39_900, "lb1")
			t.role(39_900, "lb1", "Master", "Backup")
			t.makeWay(40_000, 60)
		}, Fail, "no node forwards from +39.900s"},
		{"a deaf peer fails instead of claiming", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->lb2")
			t.role(39_999.9, "lb2", "Backup", "Fault")
			t.over(40_152, "lb1", "lb1")
			t.until(40_000, "lb1")
			t.role(40_000, "lb1", "Master", "Backup")
		}, Fail, "no node forwards from +40.000s"},
		{"a deaf peer claims, and the lease of the MASTER ends although it keeps its role", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->lb2")
			t.role(39_999.9, "lb2", "Backup", "Claiming", claimGates...)
			t.until(40_000, "lb1")
			t.lease(40_152, "lb1", 100_000)
		}, Fail, "no node forwards from +40.000s"},
		{"a deaf peer claims, and a MASTER whose handover took too long ends it", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->lb2")
			t.role(39_000, "lb1", "Master", "Yielding")
			t.role(39_999.9, "lb2", "Backup", "Claiming", claimGates...)
			t.until(40_000, "lb1")
			t.role(40_000, "lb1", "Yielding", "Backup")
			t.lease(40_152, "lb2", 100_000)
		}, Fail, "no node forwards from +40.000s"},
		{"a deaf peer claims, and the lease of the MASTER ends although it repeats its role", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->lb2")
			t.role(39_999.9, "lb2", "Backup", "Claiming", claimGates...)
			t.until(40_000, "lb1")
			t.role(40_000, "lb1", "Master", "Master")
			t.lease(40_152, "lb2", 100_000)
		}, Fail, "no node forwards from +40.000s"},
		{"a deaf peer claims and fails, and the lease of the MASTER ends although it keeps its role", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->lb2")
			t.role(39_999.7, "lb2", "Backup", "Claiming", claimGates...)
			t.role(39_999.8, "lb2", "Claiming", "Master", claimGates...)
			t.role(39_999.9, "lb2", "Master", "Fault")
			t.until(40_000, "lb1")
			t.lease(40_152, "lb1", 100_000)
		}, Fail, "no node forwards from +40.000s"},
		{"a deaf peer claims long after the MASTER has given up its role for another reason", plan.Served, "", func(t *tape) {
			t.struck(2000, fault.Cut, "lb1->lb2")
			t.role(30_000, "lb1", "Master", "Backup")
			t.role(39_999.9, "lb2", "Backup", "Claiming", claimGates...)
			t.until(40_000, "lb1")
			t.lease(40_152, "lb2", 100_000)
		}, Fail, "no node forwards from +40.000s"},
		{"chaos that ends excuses while it lasts", plan.Served, "chaos stall=5s stall.for=1s until=20s\n", func(t *tape) {
			t.until(19_000, "lb1")
			t.promote(25_000, "lb1", 100_000)
		}, Pass, ""},
		{"chaos that ends does not excuse what comes after", plan.Served, "chaos stall=5s stall.for=1s until=20s\n", func(t *tape) {
			t.until(40_000, "lb1")
		}, Fail, ""},
		{"failing writes do not excuse", plan.Served, "chaos apply.fail=0.5\n", func(t *tape) { t.until(40_000, "lb1") }, Fail, ""},
		{"chaos that never ends", plan.Served, "chaos stall=5s stall.for=1s\n", func(*tape) {}, Inconclusive, "never ends"},

		{"one forwarder", plan.Exclusive, "", func(*tape) {}, Pass, "never two forwarders"},
		{"two forwarders without a cut", plan.Exclusive, "", func(t *tape) { t.promote(20_000, "lb2", 20_100) }, Fail, "lb1 and lb2"},
		{"two parts of a pair", plan.Exclusive, "", func(t *tape) {
			both(t, 10_000)
			t.promote(10_150, "lb2", 60_000)
		}, Pass, "excused: cut lb1>lb2 on"},
		{"two parts of a pair with an arbiter", plan.Exclusive, "config arbiter.validity=1s\n", func(t *tape) {
			both(t, 10_000)
			t.promote(10_150, "lb2", 60_000)
		}, Fail, "lb1 and lb2"},
		{"two parts of a pair with an arbiter that does not decide", plan.Exclusive, "config arbiter.validity=1s arbiter.policy=keep-serving\n", func(t *tape) {
			both(t, 10_000)
			t.promote(10_150, "lb2", 60_000)
		}, Pass, "excused: cut lb1>lb2 on"},
		{"two forwarders before the cut", plan.Exclusive, "", func(t *tape) {
			both(t, 10_000)
			t.promote(9_950, "lb2", 60_000)
		}, Fail, ""},
		{"one direction is left", plan.Exclusive, "", func(t *tape) {
			t.struck(10_000, fault.Cut, "lb1->lb2")
			t.promote(10_150, "lb2", 60_000)
		}, Fail, ""},
		{"one direction of one path is left", plan.Exclusive, "", func(t *tape) {
			t.struck(10_000, fault.Cut, "lb1->lb2")
			t.struck(10_000, fault.Cut, "lb2->lb1 via clients")
			t.promote(10_150, "lb2", 60_000)
		}, Fail, ""},
		{"one path is left", plan.Exclusive, "", func(t *tape) {
			t.struck(10_000, fault.Cut, "lb1<->lb2 via sync")
			t.promote(10_150, "lb2", 60_000)
		}, Fail, ""},
		{"the parts find together in time", plan.Exclusive, "", func(t *tape) {
			both(t, 10_000)
			t.struck(20_000, fault.Heal, "")
			t.promote(10_150, "lb2", 27_600)
		}, Pass, ""},
		{"the parts find together too late", plan.Exclusive, "", func(t *tape) {
			both(t, 10_000)
			t.struck(20_000, fault.Heal, "")
			t.promote(10_150, "lb2", 27_700)
		}, Fail, "only up to +27.650s"},
		{"the parts find together by the one direction that is healed", plan.Exclusive, "", func(t *tape) {
			both(t, 10_000)
			t.struck(20_000, fault.Heal, "lb1->lb2")
			t.promote(10_150, "lb2", 40_000)
		}, Fail, ""},

		{"one direction is left that has just been healed", plan.Exclusive, "", func(t *tape) {
			oneHealed(t)
			t.promote(10_150, "lb2", 10_900)
		}, Pass, "was cut until just before"},
		{"one direction is left that has just been healed, and the peer that is not heard does not yield", plan.Exclusive, "", func(t *tape) {
			oneHealed(t)
			t.promote(10_150, "lb2", 14_000)
		}, Fail, "only up to +13.950s"},
		{"one direction of two paths is left, both healed just before: the one healed first counts", plan.Exclusive, "", func(t *tape) {
			bothHealed(t, 9_700, 9_800)
			t.promote(10_860, "lb2", 10_900)
		}, Fail, ""},
		{"one direction of two paths is left, and the other was healed first", plan.Exclusive, "", func(t *tape) {
			bothHealed(t, 9_800, 9_700)
			t.promote(10_860, "lb2", 10_900)
		}, Fail, ""},
		{"one direction of two paths is left, and the peer that is not heard does not yield", plan.Exclusive, "", func(t *tape) {
			bothHealed(t, 9_700, 9_800)
			t.promote(10_150, "lb2", 14_000)
		}, Fail, "only up to +13.850s"},
		{"one direction of two paths is left, the other was healed first, and the peer does not yield", plan.Exclusive, "", func(t *tape) {
			bothHealed(t, 9_800, 9_700)
			t.promote(10_150, "lb2", 14_000)
		}, Fail, "only up to +13.850s"},
		{"one direction is left that was healed a second before the claim", plan.Exclusive, "", func(t *tape) {
			oneHealed(t)
			t.promote(10_960, "lb2", 11_000)
		}, Fail, ""},
		{"the heartbeat is filtered while the stream that was cut is not back yet", plan.Exclusive, "", func(t *tape) {
			filteredAfterHeal(t, 9_800, "lb1<->lb2 via sync")
			t.promote(10_150, "lb2", 10_900)
		}, Pass, "the stream was cut until just before"},
		{"the heartbeat is filtered, and the stream that was cut should be back", plan.Exclusive, "", func(t *tape) {
			filteredAfterHeal(t, 9_800, "lb1<->lb2 via sync")
			t.promote(10_150, "lb2", 14_400)
		}, Fail, "only up to +14.300s"},
		{"the heartbeat is filtered just after one direction of the stream was healed", plan.Exclusive, "", func(t *tape) {
			filteredAfterHeal(t, 9_800, "stream lb1->lb2")
			t.promote(10_150, "lb2", 10_900)
		}, Pass, "the stream was cut until just before"},
		{"the heartbeat is filtered just after the other direction of the stream was healed", plan.Exclusive, "", func(t *tape) {
			filteredAfterHeal(t, 9_800, "stream lb2->lb1")
			t.promote(10_150, "lb2", 10_900)
		}, Pass, "the stream was cut until just before"},
		{"the heartbeat is filtered long after the heal of the stream", plan.Exclusive, "", func(t *tape) {
			filteredAfterHeal(t, 5_000, "lb1<->lb2 via sync")
			t.promote(10_150, "lb2", 10_900)
		}, Fail, ""},
		{"the heartbeat is filtered while the stream that a freeze has closed is not back yet", plan.Exclusive, "", func(t *tape) {
			filteredAfterThaw(t, true)
			t.promote(10_150, "lb2", 10_900)
		}, Pass, "lb2 has lost the stream and runs again only since just before"},
		{"the heartbeat is filtered, and the stream that a freeze has closed should be back", plan.Exclusive, "", func(t *tape) {
			filteredAfterThaw(t, true)
			t.promote(10_150, "lb2", 14_400)
		}, Fail, "only up to +14.300s"},
		{"the heartbeat is filtered after a freeze that the stream has survived", plan.Exclusive, "", func(t *tape) {
			filteredAfterThaw(t, false)
			t.promote(10_150, "lb2", 10_900)
		}, Fail, ""},
		{"the heartbeat is filtered, and the stream was lost long after a freeze", plan.Exclusive, "", func(t *tape) {
			t.struck(2_000, fault.Freeze, "lb2")
			t.struck(2_100, fault.Thaw, "lb2")
			t.sync(9_801, "lb2", "lost", 2, 0)
			t.struck(10_000, fault.Cut, "bfd lb1<->lb2")
			t.promote(10_150, "lb2", 10_900)
		}, Fail, ""},
		{"the heartbeat is filtered before a node that was restored has a stream", plan.Exclusive, "", func(t *tape) {
			t.struck(8_000, fault.Kill, "lb2")
			t.struck(9_800, fault.Restore, "lb2")
			t.struck(10_000, fault.Cut, "bfd lb1<->lb2")
			t.promote(10_150, "lb2", 10_900)
		}, Pass, "lb2 has lost the stream"},
		{"the heartbeat is filtered after a node that was restored had a stream", plan.Exclusive, "", func(t *tape) {
			t.struck(8_000, fault.Kill, "lb2")
			t.struck(9_800, fault.Restore, "lb2")
			t.sync(9_900, "lb2", "insync", 2, 0)
			t.struck(10_000, fault.Cut, "bfd lb1<->lb2")
			t.promote(10_150, "lb2", 10_900)
		}, Fail, ""},
		{"a direction that delays is heard that much later", plan.Exclusive, "chaos clients delay=50ms\n", func(t *tape) {
			oneHealed(t)
			t.promote(10_150, "lb2", 13_950)
		}, Pass, ""},
		{"a direction that delays is heard at last", plan.Exclusive, "chaos clients delay=50ms\n", func(t *tape) {
			oneHealed(t)
			t.promote(10_150, "lb2", 14_100)
		}, Fail, "only up to +14.000s"},
		{"neither heartbeat nor stream passes", plan.Exclusive, "", func(t *tape) {
			t.struck(10_000, fault.Cut, "bfd lb1<->lb2")
			t.struck(10_000, fault.Cut, "stream lb1->lb2")
			t.promote(10_150, "lb2", 60_000)
		}, Pass, "excused: cut bfd lb1>lb2 on"},
		{"the stream is left", plan.Exclusive, "", func(t *tape) {
			t.struck(10_000, fault.Cut, "bfd lb1<->lb2")
			t.promote(10_150, "lb2", 60_000)
		}, Fail, ""},
		{"the stream is left beside a path that is cut", plan.Exclusive, "", func(t *tape) {
			t.struck(10_000, fault.Cut, "bfd lb1<->lb2 via sync")
			t.struck(10_000, fault.Cut, "lb1<->lb2 via clients")
			t.promote(10_150, "lb2", 60_000)
		}, Fail, ""},
		{"one direction of the heartbeat is left", plan.Exclusive, "", func(t *tape) {
			t.struck(10_000, fault.Cut, "bfd lb1->lb2")
			t.struck(10_000, fault.Cut, "stream lb1<->lb2")
			t.promote(10_150, "lb2", 60_000)
		}, Fail, ""},
		{"a filter of what clients send", plan.Exclusive, "", func(t *tape) {
			t.struck(10_000, fault.Cut, "vip lb1<->lb2")
			t.struck(10_000, fault.Cut, "arp lb1<->lb2")
			t.promote(10_150, "lb2", 60_000)
		}, Fail, ""},

		{"the heartbeat is filtered while the stream breaks at random", plan.Exclusive, "chaos stream.break=5s\n", func(t *tape) {
			t.struck(10_000, fault.Cut, "bfd lb1<->lb2")
			t.promote(10_150, "lb2", 10_900)
		}, Pass, "excused"},
		{"the heartbeat is filtered after the stream broke at random", plan.Exclusive, "chaos stream.break=5s until=9s\n", func(t *tape) {
			t.struck(10_000, fault.Cut, "bfd lb1<->lb2")
			t.promote(10_150, "lb2", 10_900)
		}, Fail, ""},
		{"the stream breaks at random, and a heartbeat is left", plan.Exclusive, "chaos stream.break=5s\n", func(t *tape) {
			t.struck(10_000, fault.Cut, "bfd lb1->lb2")
			t.promote(10_150, "lb2", 10_900)
		}, Fail, ""},
		{"one path is cut and the other loses packets", plan.Exclusive, "chaos sync loss=0.1\n", func(t *tape) {
			t.struck(10_000, fault.Cut, "lb1<->lb2 via clients")
			t.promote(10_150, "lb2", 60_000)
		}, Pass, "loss of what lb2 sends on sync"},
		{"one path is cut and the other loses packets in bursts", plan.Exclusive, "chaos sync burst.begin=0.1 burst.end=0.5\n", func(t *tape) {
			t.struck(10_000, fault.Cut, "lb1<->lb2 via clients")
			t.promote(10_150, "lb2", 60_000)
		}, Pass, "loss of what lb2 sends on sync"},
		{"one path is cut and the other damages packets", plan.Exclusive, "chaos sync corrupt=0.1\n", func(t *tape) {
			t.struck(10_000, fault.Cut, "lb1<->lb2 via clients")
			t.promote(10_150, "lb2", 60_000)
		}, Pass, "loss of what lb2 sends on sync"},
		{"one path is cut and the other loses packets in one direction", plan.Exclusive, "chaos sync from lb1 loss=0.1\n", func(t *tape) {
			t.struck(10_000, fault.Cut, "lb1<->lb2 via clients")
			t.promote(10_150, "lb2", 60_000)
		}, Fail, ""},
		{"one path is cut and the other still loses packets for a while", plan.Exclusive, "chaos sync loss=0.1\nchaos until=40s\n", func(t *tape) {
			t.struck(10_000, fault.Cut, "lb1<->lb2 via clients")
			t.promote(10_150, "lb2", 20_000)
		}, Pass, "loss of what lb2 sends on sync"},
		{"one path is cut and the other lost packets until lately", plan.Exclusive, "chaos sync loss=0.1\nchaos until=10s\n", func(t *tape) {
			t.struck(5_000, fault.Cut, "lb1<->lb2 via clients")
			t.promote(20_150, "lb2", 60_000)
		}, Fail, ""},

		{"two forwarders while a heartbeat is under way", plan.Exclusive, "chaos clients delay=4ms jitter=1ms\n", func(t *tape) {
			t.promote(20_000, "lb2", 20_003)
		}, Pass, ""},
		{"two forwarders for as long as a heartbeat is under way", plan.Exclusive, "chaos clients delay=4ms jitter=1ms\n", func(t *tape) {
			t.promote(20_000, "lb2", 20_004)
		}, Fail, ""},
		{"two forwarders that renew their leases more often than that", plan.Exclusive, "chaos clients delay=4ms jitter=1ms\n", func(t *tape) {
			for at := 20_000.0; at < 20_010; at += 2 {
				t.lease(at, "lb2", at+3)
			}
		}, Fail, "lb1 and lb2 allowed to forward by its lease from +20.000s to +20.011s"},
		{"two forwarders for longer than a heartbeat is under way", plan.Exclusive, "chaos clients delay=4ms jitter=1ms\n", func(t *tape) {
			t.promote(20_000, "lb2", 20_005)
		}, Fail, ""},

		{"two forwarders while a loop is busy with a slow write", plan.Exclusive, "chaos slow=0.1 slow.for=5ms\n", func(t *tape) {
			t.promote(20_000, "lb2", 20_003)
		}, Pass, ""},

		{"tables that stay", plan.Kept, "", func(t *tape) { t.entries(5000, "lb2", 2) }, Pass, ""},
		{"tables that lose what has ended", plan.Kept, "", func(t *tape) {
			t.entries(5000, "lb2", 9)
			t.entries(5500, "lb2", 2)
		}, Pass, ""},
		{"sessions that were closed and opened anew meanwhile may have gone", plan.Kept, "", func(t *tape) {
			for i, open := range []int{2, 0, 2} {
				t.totals(4400+100*float64(i), trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Sessions: open, Opened: 2 + i})
			}
			t.entries(5000, "lb2", 1)
		}, Pass, ""},
		{"a follower loses what lives", plan.Kept, "", func(t *tape) { t.entries(5000, "lb2", 1) }, Fail, "lb2 from 2 to 1 entries"},
		{"the MASTER loses what lives", plan.Kept, "", func(t *tape) { t.entries(5000, "lb1", 0) }, Fail, "lb1 from 2 to 0 entries"},
		{"a fault that ends no daemon does not excuse", plan.Kept, "", func(t *tape) {
			t.struck(4000, fault.Handover, "lb1")
			t.entries(5000, "lb1", 0)
		}, Fail, "lb1 from 2 to 0 entries"},
		{"a daemon that ended forgets", plan.Kept, "", func(t *tape) {
			t.struck(4000, fault.Kill, "lb2")
			t.struck(4500, fault.Restore, "lb2")
			t.entries(5000, "lb2", 0)
		}, Pass, ""},
		{"a daemon that is about to end forgets", plan.Kept, "", func(t *tape) {
			t.fault(4000, fault.Stop, "lb2", "begin")
			t.entries(4001, "lb2", 0)
			t.fault(4002, fault.Stop, "lb2", "receipt")
		}, Pass, ""},
		{"sessions that end later do not excuse", plan.Kept, "", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Totals != nil && e.At > ms(5000) && !e.Totals.Final })
			t.totals(6000, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Sessions: 0, Opened: 2})
			t.entries(5000, "lb2", 1)
		}, Fail, "lb2 from 2 to 1 entries"},
		{"sessions that opened before the earlier report", plan.Kept, "", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Totals != nil && e.At < ms(2000) })
			t.totals(1000, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp"})
			t.entries(2000, "lb2", 2)
			t.entries(5000, "lb2", 1)
		}, Fail, "lb2 from 2 to 1 entries"},
		{"sessions that opened after the earlier report", plan.Kept, "", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Totals != nil && e.At < ms(4000) })
			t.entries(5000, "lb2", 0)
		}, Pass, ""},
		{"a daemon that ended excuses no other", plan.Kept, "", func(t *tape) {
			t.struck(4000, fault.Kill, "lb2")
			t.entries(5000, "lb1", 0)
		}, Fail, "lb1 from 2 to 0 entries"},
		{"two parts cannot be merged", plan.Kept, "", func(t *tape) {
			both(t, 4000)
			t.struck(4900, fault.Heal, "")
			t.entries(5000, "lb2", 0)
		}, Pass, ""},
		{"one direction is left, and a table is thrown away", plan.Kept, "", func(t *tape) {
			t.struck(4000, fault.Cut, "lb1->lb2")
			t.struck(4900, fault.Heal, "")
			t.entries(5000, "lb2", 0)
		}, Fail, ""},
		{"lost with the only whole table", plan.Kept, "", func(t *tape) {
			t.struck(3000, fault.Crash, "lb2")
			t.struck(3500, fault.Restore, "lb2")
			t.struck(3500, fault.Crash, "lb1")
			t.entries(4000, "lb2", 2)
			t.entries(5000, "lb2", 1)
		}, Pass, ""},
		{"lost with both whole tables", plan.Kept, "", func(t *tape) {
			t.struck(3000, fault.Crash, "lb2")
			t.struck(3200, fault.Crash, "lb1")
			t.struck(3500, fault.Restore, "lb2")
			t.entries(4000, "lb2", 2)
			t.entries(5000, "lb2", 1)
		}, Pass, ""},
		{"a node that is in sync with one without the table", plan.Kept, "", func(t *tape) {
			t.sync(3000, "lb2", "snapshot", 1, 0)
			t.struck(3500, fault.Crash, "lb1")
			t.promote(4000, "lb2", 60_000)
			t.struck(4200, fault.Restore, "lb1")
			t.sync(4300, "lb1", "insync", 2, 0)
			t.entries(4500, "lb1", 2)
			t.entries(5000, "lb1", 1)
		}, Pass, ""},
		{"a node without the table takes over from one that stands still", plan.Kept, "", func(t *tape) {
			t.sync(3000, "lb2", "snapshot", 1, 0)
			t.struck(3500, fault.Freeze, "lb1")
			t.promote(4000, "lb2", 60_000)
			t.entries(4500, "lb2", 2)
			t.entries(5000, "lb2", 1)
		}, Pass, ""},
		{"the first node takes over from one that stands still, without the table", plan.Kept, "", func(t *tape) {
			t.over(2500, "lb1", "lb2")
			t.sync(2600, "lb1", "snapshot", 1, 0)
			t.struck(3500, fault.Freeze, "lb2")
			t.promote(4000, "lb1", 60_000)
			t.sync(4100, "lb1", "insync", 2, 0)
			t.entries(4500, "lb1", 2)
			t.entries(5000, "lb1", 1)
		}, Pass, ""},
		{"a MASTER that cannot read its table beside a peer whose gate is open", plan.Kept, "", func(t *tape) {
			t.struck(2000, fault.Map, "unread lb1")
			t.gate(2100, "lb2", "InSync", true)
			t.entries(5000, "lb2", 1)
		}, Fail, "lb2 from 2 to 1 entries"},
		{"idle flows are no sessions", plan.Kept, "", func(t *tape) {
			for _, at := range []float64{1000, 2000, 6000} {
				t.totals(at, trace.Totals{Name: "idle", Kind: plan.Flows, Proto: "tcp", Sessions: 3})
			}
			t.entries(1600, "lb2", 5)
			t.entries(5000, "lb2", 2)
		}, Pass, ""},
		{"a follower that stood still has missed what came", plan.Kept, "", func(t *tape) {
			t.struck(3500, fault.Freeze, "lb2")
			t.struck(4000, fault.Thaw, "lb2")
			t.sync(4001, "lb2", "snapshot", 1, 0)
			t.entries(5000, "lb2", 1)
		}, Pass, ""},
		{"a follower that falls behind while the role is handed over has missed what came", plan.Kept, "", func(t *tape) {
			t.role(3000, "lb1", "Master", "Yielding")
			t.sync(3010, "lb2", "live", 1, 0)
			t.role(3500, "lb1", "Yielding", "Backup")
			t.entries(5000, "lb2", 1)
		}, Pass, ""},
		{"a table that lacks sessions already", plan.Kept, "", func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Replica != nil })
			t.entries(1500, "lb2", 1)
			t.entries(5000, "lb2", 0)
		}, Pass, ""},

		{"loops that rest", plan.Rests, "", func(*tape) {}, Pass, "at most 50 timers"},
		{"a deadline in the past", plan.Rests, "", func(t *tape) { t.loop(5500, "lb1", trace.Loop{Timers: 20, Idle: 20, Late: 1}) },
			Fail, "1 timers that were already due"},
		{"timers without end", plan.Rests, "", func(t *tape) { t.loop(5500, "lb2", trace.Loop{Timers: 2000}) }, Fail, "2000 timers"},
		{"no more timers than the heartbeats explain", plan.Rests, "config bfd.tx=10ms bfd.rx=10ms\n",
			func(t *tape) { t.loop(5500, "lb2", trace.Loop{Timers: 1100}) }, Pass, ""},
		{"more timers than the heartbeats explain", plan.Rests, "config bfd.tx=10ms bfd.rx=10ms\n",
			func(t *tape) { t.loop(5500, "lb2", trace.Loop{Timers: 1200}) }, Fail, "explain 1167"},
		{"no more timers than the deferred replies explain", plan.Rests, "config bfd.tx=10ms bfd.rx=10ms\n",
			func(t *tape) { t.loop(5500, "lb2", trace.Loop{Timers: 1200, Replies: 40}) }, Pass, ""},
		{"nobody tells of a loop", plan.Rests, "", func(t *tape) { t.without(func(e trace.Event) bool { return e.Loop != nil }) },
			Inconclusive, "no node reported"},
	} {
		t.Run(test.check+"/"+test.name, func(t *testing.T) {
			tape := lasting()
			test.edit(tape)
			p, found := plan.Check("s.scn", []byte("scenario s\nservice web tcp 198.18.0.100:80\ntraffic web sessions tcp count=2 every=100ms\n"+
				test.lines+"always "+test.check+"\n@0s wait lb1 is Master and lb2 insync within 3s\n@60s end\n"))
			if errs := found.Errors(true); len(errs) > 0 {
				t.Fatal(errs)
			}
			slices.SortStableFunc(*tape, func(a, b trace.Event) int { return int(a.At - b.At) })
			v := judged(p, tape)
			got, detail := outcome(v, test.check)
			if got != test.want || !strings.Contains(detail, test.says) {
				t.Errorf("%s, want %s and %q\n%s", got, test.want, test.says, show(v))
			}
			if got == Fail && failedAt(v, test.check) == nil {
				t.Errorf("the failure has no time: %s", detail)
			}
		})
	}
}

// A node whose process ends by itself fails the run, whatever the scenario claims, and is down from
// then on.
func TestANodeThatEndsByItselfFails(t *testing.T) {
	tape := crash()
	tape.add(5000, "lb1", trace.Event{Kind: trace.KindDied, Died: &trace.Died{Why: "panic: no"}})
	p := scenario(t, "", "", "")
	if got, detail := outcome(judged(p, tape), plan.CheckDied); got != Fail || !strings.Contains(detail, "lb1 at +5.000s: panic: no") {
		t.Errorf("%s %s", got, detail)
	}
	if at := failedAt(judged(p, tape), plan.CheckDied); at == nil || at.From != ms(5000) {
		t.Errorf("it ended at %v, want +5s", at)
	}
	tape.add(5001, "", trace.Event{Kind: trace.KindTotals, Totals: &trace.Totals{Name: "many", Kind: plan.Sessions, Proto: "tcp", Opened: 10, Corrupt: 4}})
	if v := judged(p, tape); len(v.Reasons) < 2 || !strings.HasPrefix(v.Reasons[0], "died: ") || !strings.Contains(strings.Join(v.Reasons, "\n"), "corrupt: ") {
		t.Errorf("the end of a node is not the first reason: %q", v.Reasons)
	}
	r := newRun(p, *tape)
	if r.stateAt(ms(4999)).Nodes["lb1"].Up == false || r.stateAt(ms(5000)).Nodes["lb1"].Up {
		t.Error("lb1 is not down from its end on")
	}
}

// TestLivenessIsJudgedInItsWindow: what a claim about a part of the run says nothing about.
func TestLivenessIsJudgedInItsWindow(t *testing.T) {
	tape := lasting()
	tape.until(20_000, "lb1")
	tape.lease(25_000, "lb1", 100_000)
	tape.loop(20_500, "lb1", trace.Loop{Timers: 20, Late: 1})
	trace.Sort(*tape)
	for _, name := range []string{plan.Served, plan.Rests} {
		for at, want := range map[string]Outcome{"1s": Pass, "15s": Fail, "30s": Pass} {
			p, found := plan.Check("s.scn", []byte("scenario s\nservice web tcp 198.18.0.100:80\ntraffic web sessions tcp count=2 every=100ms\n"+
				"@0s wait lb1 is Master and lb2 insync within 3s\n@"+at+" expect "+name+" throughout 10s\n@60s end\n"))
			if errs := found.Errors(true); len(errs) > 0 {
				t.Fatal(errs)
			}
			if got, detail := outcome(judged(p, tape), name); got != want {
				t.Errorf("%s from %s on: %s, want %s: %s", name, at, got, want, detail)
			}
			if at := failedAt(judged(p, tape), name); name == plan.Rests && want == Fail && (at == nil || *at != Span{ms(19_500), ms(20_500)}) {
				t.Errorf("%s failed over %v, want the second before the report", name, at)
			}
		}
	}
}
