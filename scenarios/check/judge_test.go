package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
	"baton/scenarios/capability"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// TestAClaimThatNeverCameTrueFailsAtItsEnd: what failed within its window is an earlier reason.
func TestAClaimThatNeverCameTrueFailsAtItsEnd(t *testing.T) {
	tape := crash()
	tape.rst(4500)
	v := judged(scenario(t, "always rst == 0", "", "  expect lb1 is Master within 1s"), tape)
	if v.Verdict != Fail || len(v.Reasons) != 2 || !strings.HasPrefix(v.Reasons[0], "rst: ") || !strings.HasPrefix(v.Reasons[1], "role: ") {
		t.Error(show(v))
	}
	tape = crash()
	tape.rst(5500)
	v = judged(scenario(t, "always rst == 0", "", "  expect lb1 is Master within 1s"), tape)
	if len(v.Reasons) != 2 || !strings.HasPrefix(v.Reasons[0], "role: ") || !strings.HasPrefix(v.Reasons[1], "rst: ") {
		t.Errorf("a failure after that end comes later:\n%s", show(v))
	}
}

// TestStallsThatOverlapCountOnce, in whatever order the threads reported them.
func TestStallsThatOverlapCountOnce(t *testing.T) {
	stalls := []stall{{window: window{ms(50), ms(80)}}, {window: window{ms(40), ms(60)}}, {window: window{ms(200), ms(210)}}}
	if took := stoodStill(stalls, []window{{ms(0), ms(100)}, {ms(205), ms(300)}}); took != 45*time.Millisecond {
		t.Errorf("the host stood still for %v, want 40 ms of the first window and 5 ms of the second", took)
	}
}

// TestEveryFaultNeedsItsReceipt: faults on wires and on machines, and each host of several.
func TestEveryFaultNeedsItsReceipt(t *testing.T) {
	p, found := plan.Check("f.scn", []byte("scenario f\nservice web tcp 198.18.0.100:80\ntraffic web sessions tcp count=2 every=100ms\n"+
		"@0s wait lb1 is Master and lb2 insync within 3s\n@2s cut lb1<->lb2 via sync\n@3s heal\n@4s freeze lb1\n@4500ms thaw lb1\n@6s end\n"))
	if errs := found.Errors(true); len(errs) > 0 {
		t.Fatal(errs)
	}
	faults := []struct {
		at           float64
		verb, target string
	}{{2000, fault.Cut, "lb1<->lb2 via sync"}, {3000, fault.Heal, ""}, {4000, fault.Freeze, "lb1"}, {4500, fault.Thaw, "lb1"}}
	details := map[string]string{
		"": "every fault left its receipt", fault.Cut: "cut lb1<->lb2 via sync at +2.000s: no receipt", fault.Heal: "heal at +3.000s: no receipt",
		fault.Freeze: "freeze lb1 at +4.000s: no receipt of lb1", fault.Thaw: "thaw lb1 at +4.500s: no receipt of lb1",
	}
	for _, unproven := range []string{"", fault.Cut, fault.Heal, fault.Freeze, fault.Thaw} {
		tape := crash()
		tape.without(func(e trace.Event) bool {
			return e.Fault != nil || e.Step != nil && e.At > ms(1000) && e.At < ms(5000)
		})
		for _, f := range faults {
			tape.step(f.at, f.verb, "begin")
			tape.fault(f.at, f.verb, f.target, "begin")
			if f.verb != unproven {
				tape.fault(f.at+1, f.verb, f.target, "receipt")
			}
			if f.verb != fault.Thaw { // the trace may end before the step does
				tape.step(f.at+2, f.verb, "end")
			}
		}
		want := Inconclusive
		if unproven == "" {
			want = Pass
		}
		if got, said := outcome(judged(p, tape), "faults"); got != want || said != details[unproven] {
			t.Errorf("without the receipt of %q: faults is %s: %s", unproven, got, said)
		}
	}
}

// everything has every claim that a scenario can make about a whole run.
// TestTheClaimThatFailedFirstIsTheFirstReason: the order of the claims in the file does not matter.
func TestTheClaimThatFailedFirstIsTheFirstReason(t *testing.T) {
	tape := crash()
	tape.add(1200, "lb2", trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: "Backup", To: "Master"}})
	tape.add(1500, "lb2", trace.Event{Kind: trace.KindRole, Role: &trace.Role{From: "Master", To: "Backup"}})
	tape.add(2100, "lb2", trace.Event{Kind: trace.KindRST, RST: &trace.RST{Edge: "clients"}})
	trace.Sort(*tape)
	v := judged(scenario(t, "always rst == 0 ; masters <= 1", "", ""), tape)
	if v.Verdict != Fail || len(v.Reasons) < 2 || !strings.HasPrefix(v.Reasons[0], "masters: ") || !strings.HasPrefix(v.Reasons[1], "rst: ") {
		t.Error(show(v))
	}
}

const everything = "always masters <= 1 ; forwarders <= 1 ; rst == 0 ; lost == 0 ; corrupt == 0 ; moved == 0 ; announce ; gates ; sticky\n" +
	"always role_changes == 2 ; gap(probe) < detect+50ms ; gap_tcp_p50_ms <= 245 ; takeover_ms < 200 ; detect_ms <= 170 ; sync_ms < 500ms"

const (
	afterCrash   = "  expect lb2 is Master within detect+50ms\n  expect gap(web) < detect+300ms\n  expect lb2 is Master throughout 3s\n  expect lb1 is not Master throughout 3s"
	afterRestore = "  expect lb1 is Backup throughout 1.5s\n  expect lb1 insync within 2s\n  expect gap(probe) < 20ms\n  expect converged within 2s\n  expect replica\n  expect masters == 1 throughout 1s"
)

func TestACleanRunPasses(t *testing.T) {
	v := judged(scenario(t, everything, afterCrash, afterRestore), crash())
	if v.Verdict != Pass {
		t.Fatal(show(v))
	}
	if len(v.Reasons) != 0 {
		t.Errorf("a pass has reasons: %q", v.Reasons)
	}
	if v.Scenario != "s" || v.World != plan.Netns || v.SUT != "reference" || v.Seed != 7 {
		t.Errorf("identity %+v", v)
	}
	want := Metrics{"rst": 0, "lost": 0, "corrupt": 0, "moved": 0, "unanswered": 0, "unechoed": 158, "sessions": 2, "role_changes": 2, "masters": 1, "forwarders": 1,
		"gap": 205, "gap_udp_max_ms": 158, "gap_tcp_p50_ms": 162, "gap_tcp_p99_ms": 205, "gap_tcp_max_ms": 205,
		"detect_ms": 149.9, "takeover_ms": 154.9, "unready_ms": 4.9, "dual_ms": 0, "restore_gap_ms": 0, "sync_ms": 80, "sync_entries": 2, "strays": 0}
	for name, value := range want {
		if got, ok := v.Metrics[name]; !ok || got != value {
			t.Errorf("metric %s is %v (measured: %v), want %v", name, got, ok, value)
		}
	}
	for name := range v.Metrics {
		if _, ok := want[name]; !ok {
			t.Errorf("metric %s is %v, want it absent: nothing measured it", name, v.Metrics[name])
		}
	}
}

func TestJudge(t *testing.T) {
	shrinks := func(t *tape) {
		for _, at := range []float64{900, 1900} {
			t.totals(at, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Sessions: 2, Opened: 2})
		}
		t.entries(1000, "lb2", 2)
		t.entries(1800, "lb2", 1)
	}
	tests := []struct {
		name                     string
		lines, crashed, restored string
		edit                     func(*tape)
		want                     Outcome
		check                    string // whose outcome is the reason, "" for none
		detail                   string // part of its detail
	}{
		{name: "a reset is counted and attributed", lines: "always rst == 0", edit: func(t *tape) { t.rst(4500) },
			want: Fail, check: "rst", detail: "rst == 0 over +0.000s..+6.010s: actual 1: tcp 198.18.0.11:4000>198.18.0.100:80 from backend2 at the clients edge at +4.500s through lb1 (lb1 was Master, entry adopted, after restore lb1 at +4.000s)"},
		{name: "a reset at the backend edge counts as well", lines: "always rst == 0", edit: func(t *tape) {
			t.add(4500, "backend1", trace.Event{Kind: trace.KindRST, RST: &trace.RST{Edge: "backends", Flow: "tcp 198.18.1.101:4000>198.18.1.11:80", Sender: "backend1"}})
		}, want: Fail, check: "rst", detail: "at the backends edge at +4.500s"},
		{name: "a reset after the end is not of this run", lines: "always rst == 0", edit: func(t *tape) { t.rst(6500) }, want: Pass},
		{name: "resets count from the anchor to the next fault", crashed: "  expect rst == 0", edit: func(t *tape) { t.rst(4500) }, want: Pass},
		{name: "resets before the next fault count", crashed: "  expect rst == 0", edit: func(t *tape) { t.rst(3999) }, want: Fail, check: "rst"},

		{name: "a lost session names itself", lines: "always lost == 0", edit: func(t *tape) { t.traffic(2500, "web", "client1#1", trace.TrafficLost, "reset by peer") },
			want: Fail, check: "lost", detail: "actual 1: web/client1#1 at +2.500s (reset by peer), after crash lb1 at +2.000s"},
		{name: "a silence is of the fault that it began with", lines: "always lost == 0", edit: func(t *tape) { t.traffic(5500, "web", "client1#1", trace.TrafficLost, "no answer for 3.497s") },
			want: Fail, check: "lost", detail: "(no answer for 3.497s), after crash lb1 at +2.000s"},
		{name: "also if what has no answer was sent right before that", lines: "always lost == 0", edit: func(t *tape) { t.traffic(5500, "web", "client1#1", trace.TrafficLost, "no answer for 3.505s") },
			want: Fail, check: "lost", detail: "after crash lb1 at +2.000s"},
		{name: "and not of one long after its begin", lines: "always lost == 0", edit: func(t *tape) { t.traffic(5500, "web", "client1#1", trace.TrafficLost, "no connection for 4s") },
			want: Fail, check: "lost", detail: "before any fault"},
		{name: "a long gap is of the fault that it began with", lines: "always gap(web) < 1s", edit: func(t *tape) { t.gap("web", "client1#0", 2990, 4500) },
			want: Fail, check: "gap", detail: "from +2.990s to +4.500s, after crash lb1 at +2.000s"},
		{name: "a probe's gap begins an interval before the first probe without an answer", lines: "always gap(probe) < 1s", edit: func(t *tape) {
			t.add(5200, "client1", trace.Event{Kind: trace.KindGap, Gap: &trace.Gap{Name: "probe", Flow: "client1#0", From: ms(3900), To: ms(5200), Missed: 12}})
		}, want: Fail, check: "gap", detail: "after restore lb1 at +4.000s"},
		{name: "what a generator finds lost at its end is lost", lines: "always lost == 0", edit: func(t *tape) { t.traffic(6010.5, "web", "client1#1", trace.TrafficLost, "no echo") },
			want: Fail, check: "lost"},
		{name: "losses that only the totals know count", lines: "always lost == 0", edit: func(t *tape) {
			t.totals(6012, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Lost: 3, Opened: 2, Received: 9})
		}, want: Fail, check: "lost", detail: "3 only in the totals of the traffic"},
		{name: "lost of one line only", lines: "traffic two sessions tcp count=1\nalways lost(two) == 0", edit: func(t *tape) {
			t.totals(6012, trace.Totals{Name: "two", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 1, Received: 9})
			t.traffic(2500, "web", "client1#1", trace.TrafficLost, "reset by peer")
		}, want: Pass},

		{name: "corruption fails though nobody asked", edit: func(t *tape) { t.traffic(2500, "web", "client1#1", trace.TrafficCorrupt, "sequence 7, want 6") },
			want: Fail, check: "corrupt", detail: "sequence 7, want 6"},
		{name: "a leak fails though nobody asked", edit: func(t *tape) {
			t.add(7000, "lb1", trace.Event{Kind: trace.KindLeak, Leak: &trace.Leak{What: "process 12"}})
		},
			want: Fail, check: "leaks", detail: "process 12"},
		{name: "a leak that belongs to no node fails too", edit: func(t *tape) {
			t.add(7000, "", trace.Event{Kind: trace.KindLeak, Leak: &trace.Leak{What: "namespace 4026532000"}})
		}, want: Fail, check: "leaks", detail: "namespace 4026532000"},
		{name: "a moved session", lines: "always sticky", edit: func(t *tape) { t.traffic(2500, "web", "client1#1", trace.TrafficMoved, "backend1, then backend2") },
			want: Fail, check: "sticky"},

		{name: "a gap above the bound", crashed: "  expect gap(web) < detect+50ms", want: Fail, check: "gap",
			detail: "gap(web) < detect+50ms (200ms) over +2.000s..+4.000s: actual 205ms: web/client1#0 from +1.995s to +2.200s, after crash lb1 at +2.000s"},
		{name: "a gap that was over before the anchor does not count", restored: "  expect gap(web) < 20ms", want: Pass},
		{name: "a gap that ends with the anchor does not count", restored: "  expect gap(web) < 20ms", edit: func(t *tape) { t.gap("web", "client1#0", 3900, 4000) }, want: Pass},
		{name: "a reset at the instant of the next fault is not of this window", crashed: "  expect rst == 0", edit: func(t *tape) { t.rst(4000) }, want: Pass},
		{name: "what failed before the run's end failed, wherever the window ends", restored: "  expect lb1 is Backup throughout 5s", want: Fail, check: "role",
			edit: func(t *tape) { t.role(5000, "lb1", "Backup", "Master") }, detail: "lb1 is Master at +5.000s"},
		{name: "an announcement after the window", crashed: "  expect announce", edit: func(t *tape) { t.announce(5000, "lb1") }, want: Pass},
		{name: "an announcement in the window", restored: "  expect announce", edit: func(t *tape) { t.announce(5000, "lb1") }, want: Fail, check: "announce", detail: "lb1 announced at +5.000s"},
		{name: "a claim without gates after the window", crashed: "  expect gates", edit: func(t *tape) { t.role(5000, "lb1", "Backup", "Claiming") }, want: Pass},
		{name: "a claim without gates in the window", restored: "  expect gates", edit: func(t *tape) { t.role(5000, "lb1", "Backup", "Claiming") }, want: Fail, check: "gates",
			detail: "1 of 1 claims"},
		{name: "a forwarder without a claim after the window", crashed: "  expect forwarders <= 1", edit: func(t *tape) { t.forwarder(5000, "lb1", "lb2", 4999) }, want: Pass},
		{name: "a forwarder without a claim in the window", restored: "  expect forwarders <= 1", edit: func(t *tape) { t.forwarder(5000, "lb1", "lb2", 4999) }, want: Fail, check: "forwarders",
			detail: "lb1 carries the packets"},
		{name: "a table that shrank before the window", restored: "  expect kept", edit: shrinks, want: Pass},
		{name: "a table that shrank in the window", lines: "always kept", edit: shrinks, want: Fail, check: "kept", detail: "lb2 from 2 to 1 entries"},
		{name: "a new epoch of the same role is no change", lines: "always role_changes == 2", edit: func(t *tape) { t.role(5000, "lb2", "Master", "Master") }, want: Pass},
		{name: "what fails at the last instant of the window", crashed: "  expect lb2 is Master throughout 1s", edit: func(t *tape) { t.role(3000, "lb2", "Master", "Fault") },
			want: Fail, check: "role", detail: "lb2 is Fault at +3.000s"},
		{name: "a state of the pair at the end of the window", restored: "  expect lb1 insync", edit: func(t *tape) {
			t.sync(5000, "lb1", "live", 1, 0)
			t.sync(5500, "lb1", "insync", 2, 0)
		}, want: Pass, check: "insync", detail: "at +6.010s"},
		{name: "equal tables at the end of the window", restored: "  expect replica", edit: func(t *tape) {
			t.replica(5000, "lb1", "bb")
			t.replica(5500, "lb1", "aa")
		}, want: Pass, check: "replica", detail: "at +6.010s"},
		{name: "what comes true after the run", restored: "  expect lb1 is Master within 3s", edit: func(t *tape) { t.role(6500, "lb1", "Backup", "Master") },
			want: Inconclusive, check: "role", detail: "the run ended at +6.010s"},
		{name: "a fault at the same time does not end the window", crashed: "  expect rst == 0\n@2s cut lb1->lb2 via sync", edit: func(t *tape) {
			t.step(2005, fault.Cut, "begin")
			t.struck(2005, fault.Cut, "lb1->lb2 via sync")
			t.step(2005, fault.Cut, "end")
			t.rst(3500)
		}, want: Fail, check: "rst"},
		{name: "a fault that never began does not end the window", crashed: "  expect rst == 0", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Step != nil && e.Step.Text == fault.Restore })
			t.rst(4500)
		}, want: Fail, check: "rst"},
		{name: "an expectation of a step that never began", crashed: "  expect lb2 is Master within 1s", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Step != nil && e.Step.Text == fault.Crash })
		}, want: Inconclusive, check: "role", detail: "its step never began"},
		{name: "a wait of the other world shifts nothing", crashed: "[sim] @2300ms wait lb2 is Master within 1s\n@2500ms expect lb2 is Master throughout 1s", want: Pass, check: "role",
			detail: "over +2.800s..+3.800s"},
		{name: "losses of an earlier time that only the totals know", restored: "  expect lost == 0", edit: func(t *tape) {
			t.totals(6012, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Lost: 3, Opened: 2, Received: 9})
		}, want: Pass},
		{name: "no traffic that could be reset", lines: "always rst == 0", edit: func(t *tape) { t.without(func(e trace.Event) bool { return e.Totals != nil }) },
			want: Inconclusive, check: "rst", detail: "not measured"},
		{name: "a reset without totals of traffic", lines: "always rst == 0", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Totals != nil })
			t.rst(4500)
		}, want: Fail, check: "rst"},
		{name: "a line that has not ended may still answer", lines: "always unanswered == 0", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Totals != nil && e.Totals.Name == "web" && e.Totals.Final })
		}, want: Inconclusive, check: "unanswered", detail: "not measured"},
		{name: "no line that could be unanswered", lines: "always unanswered == 0", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Totals != nil && e.Totals.Name == "web" })
		}, want: Inconclusive, check: "unanswered", detail: "not measured"},
		{name: "a window that the run did not reach the end of", restored: "  expect lb1 is Backup throughout 5s", want: Inconclusive, check: "role",
			detail: "the run ended at +6.010s, before the window +4.000s..+9.000s"},
		{name: "a within counts from its anchor", restored: "  expect role_changes >= 1 within 1s", want: Fail, check: "role_changes",
			detail: "role_changes is 0"},
		{name: "a within that the run did not reach the end of", restored: "  expect role_changes >= 9 within 5s", want: Inconclusive, check: "role_changes",
			detail: "the run ended at +6.010s"},
		{name: "a gap that reaches into the window counts whole", restored: "  expect gap(web) < 20ms", edit: func(t *tape) { t.gap("web", "client1#0", 3900, 4001) },
			want: Fail, check: "gap", detail: "actual 101ms"},

		{name: "a takeover that is too late", crashed: "  expect lb2 is Master within detect", want: Fail, check: "role",
			detail: "expect lb2 is Master within detect: not within 150ms (window +2.000s..+2.150s): lb2 is Backup"},
		{name: "a restored node may boot before it is Backup", restored: "  expect lb1 is Backup throughout 1.5s", want: Pass},
		{name: "a restored node may find its links down before it is Backup", restored: "  expect lb1 is Backup throughout 1.5s", edit: func(t *tape) {
			t.role(4060, "lb1", "Init", "Fault")
			t.role(4090, "lb1", "Fault", "Init")
		}, want: Pass},
		{name: "a restored node that takes the role at boot", restored: "  expect lb1 is Backup throughout 1.5s", edit: func(t *tape) { t.role(4090, "lb1", "Init", "Claiming") },
			want: Fail, check: "role", detail: "lb1 is Claiming at +4.090s"},
		{name: "a node that leaves the role again, even for one on the way to it", restored: "  expect lb1 is Backup throughout 1.5s", edit: func(t *tape) {
			t.role(4500, "lb1", "Backup", "Fault")
			t.role(4600, "lb1", "Fault", "Backup")
		}, want: Fail, check: "role", detail: "lb1 is Fault at +4.500s"},
		{name: "a node that never comes up is not Backup throughout", restored: "  expect lb1 is Backup throughout 1.5s", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Role != nil && e.Node == "lb1" && e.At > ms(4000) })
		}, want: Fail, check: "role", detail: "lb1 is Init at +5.500s"},
		{name: "a state without a window is judged at the next fault", crashed: "  expect lb2 is Master", want: Pass},
		{name: "a state without a window that is gone by then", crashed: "  expect lb2 is Master", edit: func(t *tape) { t.role(3900, "lb2", "Master", "Fault") },
			want: Fail, check: "role", detail: "lb2 is Master at +4.000s: lb2 is Fault"},
		{name: "an expectation with a time of its own counts from there, as the wait has shifted it", crashed: "@2500ms expect lb2 is Master throughout 1s",
			want: Pass, check: "role", detail: "over +2.800s..+3.800s"},
		{name: "an insync that comes too late", restored: "  expect lb1 insync within 200ms", want: Fail, check: "insync",
			detail: "lb1 is not insync (snapshot, 1 entries)"},
		{name: "an insync of an earlier life does not count", restored: "  expect lb1 insync within 2s", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Sync != nil && e.Node == "lb1" })
			t.sync(1000, "lb1", "insync", 2, time.Millisecond)
		}, want: Fail, check: "insync", detail: "no sync yet"},
		{name: "a count that must rise", crashed: "  expect role_changes >= 1 within detect+50ms", want: Pass},
		{name: "a count of before the anchor does not count", restored: "  expect role_changes >= 1 within 1s", want: Fail, check: "role_changes"},
		{name: "sessions are what is open", crashed: "  expect sessions == 2", want: Pass},
		{name: "a session too few", crashed: "  expect sessions == 2", edit: func(t *tape) {
			t.totals(3000, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Sessions: 1, Opened: 2, Received: 9})
		}, want: Fail, check: "sessions", detail: "actual 1: at +3.000s"},

		{name: "replicas that differ", restored: "  expect replica", edit: func(t *tape) { t.replica(4400, "lb1", "bb") },
			want: Fail, check: "replica", detail: "lb1 has 2 entries (digest bb), lb2 has 2 (digest aa)"},
		{name: "a replica that nobody reported", restored: "  expect replica", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Replica != nil && e.Node == "lb1" })
		}, want: Fail, check: "replica", detail: "no digest of lb1's table yet"},
		{name: "not converged while a heartbeat is down", restored: "  expect converged within 2s", edit: func(t *tape) { t.bfd(4120, "lb2", "sync", "Up", "Down", 0) },
			want: Fail, check: "converged", detail: "path sync of lb2 is Down"},

		{name: "a wait that timed out", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.At > ms(299) })
			t.step(3000, plan.VerbWait, "timeout")
		}, want: Fail, check: "wait", detail: "not true after 3s: lb2 is not insync (no sync yet)"},

		{name: "a fault that nobody began proves nothing", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Fault != nil && e.Fault.Verb == fault.Crash })
		}, want: Inconclusive, check: "faults", detail: "crash lb1 at +2.000s: no receipt"},
		{name: "a fault without receipt that another step began meanwhile", edit: func(t *tape) { t.fault(2001, fault.Delay, "lb1->lb2", "begin") }, want: Pass},
		{name: "a line of traffic of the other world has no totals", lines: "[sim] traffic more sessions tcp count=1", want: Pass},
		{name: "a line of traffic without totals", lines: "traffic more sessions tcp count=1", want: Inconclusive, check: "traffic", detail: "more: no totals"},
		{name: "idle flows that opened are answered at the end", lines: "traffic idle flows udp", edit: func(t *tape) {
			t.totals(6012, trace.Totals{Name: "idle", Kind: plan.Flows, Proto: "udp", Final: true, Opened: 1, Sent: 1})
		}, want: Pass},
		{name: "idle flows of which none opened", lines: "traffic idle flows udp", edit: func(t *tape) {
			t.totals(6012, trace.Totals{Name: "idle", Kind: plan.Flows, Proto: "udp", Final: true, Sent: 1})
		}, want: Inconclusive, check: "traffic", detail: "idle: sent 1, received 0"},
		{name: "the worst that passes is told", lines: "always masters <= 2", edit: func(t *tape) {
			t.role(4500, "lb1", "Backup", "Master")
			t.role(4600, "lb1", "Master", "Backup")
		}, want: Pass, check: "masters", detail: "actual 2: lb1 and lb2 Master from +4.500s"},
		{name: "a fault without receipt proves nothing", lines: "always rst == 0", edit: func(t *tape) {
			t.without(func(e trace.Event) bool {
				return e.Fault != nil && e.Fault.Phase == "receipt" && e.Fault.Verb == fault.Crash
			})
		}, want: Inconclusive, check: "faults", detail: "crash lb1 at +2.000s: no receipt of lb1"},
		{name: "a fault that failed proves nothing", edit: func(t *tape) { t.fault(2003, fault.Crash, "lb1", "failed") },
			want: Inconclusive, check: "faults", detail: "failed: seen"},
		{name: "a failed fault explains an expectation", crashed: "  expect lb2 is Master within detect", edit: func(t *tape) { t.fault(2003, fault.Crash, "lb1", "failed") },
			want: Inconclusive, check: "role", detail: "but crash lb1 at +2.000s: failed"},
		{name: "a later fault that failed does not", crashed: "  expect lb2 is Master within detect", edit: func(t *tape) { t.fault(4040, fault.Restore, "lb1", "failed") },
			want: Fail, check: "role", detail: "not within 150ms"},
		{name: "a failed fault does not explain a reset", lines: "always rst == 0", edit: func(t *tape) {
			t.fault(2003, fault.Crash, "lb1", "failed")
			t.rst(2500)
		}, want: Fail, check: "rst"},

		{name: "a stall takes a pass its force", lines: "always rst == 0", edit: func(t *tape) { t.stall(3000, 200*time.Millisecond) },
			want: Inconclusive, check: "rst", detail: "but the host stood still for 200ms at +2.800s, longer than the tolerated 100ms"},
		{name: "a stall before the traffic only makes the wait longer", lines: "always rst == 0", edit: func(t *tape) { t.stall(290, 200*time.Millisecond) }, want: Pass},
		{name: "a stall that ends as the traffic begins", lines: "always rst == 0", edit: func(t *tape) { t.stall(300, 200*time.Millisecond) }, want: Pass},
		{name: "a stall as long as what is tolerated", lines: "always rst == 0", edit: func(t *tape) { t.stall(3000, 100*time.Millisecond) }, want: Pass},
		{name: "a stall two detection times before a failure explains it", restored: "  expect lb1 is Backup throughout 1.5s", edit: func(t *tape) {
			t.stall(4200, 101*time.Millisecond)
			t.role(4500, "lb1", "Backup", "Fault")
		}, want: Inconclusive, check: "role", detail: "but the host stood still"},
		{name: "a stall longer before a failure does not", restored: "  expect lb1 is Backup throughout 1.5s", edit: func(t *tape) {
			t.stall(4199, 101*time.Millisecond)
			t.role(4500, "lb1", "Backup", "Fault")
		}, want: Fail, check: "role"},
		{name: "a count is of no time: what is tolerated does not explain", lines: "always masters <= 1", edit: func(t *tape) {
			t.role(4500, "lb1", "Backup", "Master")
			t.role(4600, "lb1", "Master", "Backup")
			t.stall(4550, 50*time.Millisecond)
		}, want: Fail, check: "masters"},
		{name: "a stall within the tolerance", lines: "always rst == 0\ntolerate stall 300ms", edit: func(t *tape) { t.stall(3000, 200*time.Millisecond) }, want: Pass},
		{name: "a stall outside what is judged", restored: "  expect rst == 0", edit: func(t *tape) { t.stall(3000, 200*time.Millisecond) }, want: Pass},
		{name: "a stall explains a gap", crashed: "  expect gap(web) < detect+50ms", edit: func(t *tape) { t.stall(2100, 110*time.Millisecond) },
			want: Inconclusive, check: "gap"},
		{name: "a stall elsewhere does not explain a gap", crashed: "  expect gap(web) < detect+50ms", edit: func(t *tape) { t.stall(3500, 110*time.Millisecond) },
			want: Fail, check: "gap"},
		{name: "a stall as long as what was missed explains it", crashed: "  expect gap(web) < detect+50ms", edit: func(t *tape) { t.stall(2100, 5*time.Millisecond) },
			want: Inconclusive, check: "gap", detail: "but the host stood still for 5ms at +2.095s"},
		{name: "a shorter one does not", crashed: "  expect gap(web) < detect+50ms", edit: func(t *tape) { t.stall(2100, 4900*time.Microsecond) },
			want: Fail, check: "gap"},
		{name: "a stall as long as the claim allows explains what was missed by more", crashed: "  expect lb2 is Master within detect+50ms", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Node == "lb2" && e.Role != nil && e.At > ms(2000) })
			t.promote(2309, "lb2", 9000)
			t.stall(2150, 50*time.Millisecond)
		}, want: Inconclusive, check: "role", detail: "not within 200ms"},
		{name: "a shorter one does not explain that it comes late", crashed: "  expect lb2 is Master within detect+50ms", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Node == "lb2" && e.Role != nil && e.At > ms(2000) })
			t.promote(2309, "lb2", 9000)
			t.stall(2150, 49*time.Millisecond)
		}, want: Fail, check: "role"},
		{name: "several that took what was missed explain it", crashed: "  expect lb2 is Master within detect+50ms", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Node == "lb2" && e.Role != nil && e.At > ms(2000) })
			t.promote(2260, "lb2", 9000)
			t.stall(2100, 40*time.Millisecond)
			t.stall(2099, 39*time.Millisecond) // the same, as another thread saw it
			t.stall(2160, 20*time.Millisecond)
		}, want: Inconclusive, check: "role", detail: "but the host stood still for 60ms in all"},
		{name: "several that took less do not", crashed: "  expect lb2 is Master within detect+50ms", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Node == "lb2" && e.Role != nil && e.At > ms(2000) })
			t.promote(2261, "lb2", 9000)
			t.stall(2100, 40*time.Millisecond)
			t.stall(2099, 39*time.Millisecond)
			t.stall(2160, 20*time.Millisecond)
		}, want: Fail, check: "role"},
		{name: "nor do several that it never comes", crashed: "  expect lb2 is Master within detect+50ms", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Node == "lb2" && e.Role != nil && e.At > ms(2000) })
			for at := 2040.0; at < 2190; at += 49 {
				t.stall(at, 40*time.Millisecond)
			}
		}, want: Fail, check: "role"},
		{name: "nor that it never comes", crashed: "  expect lb2 is Master within detect+50ms", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Node == "lb2" && e.Role != nil && e.At > ms(2000) })
			t.stall(2150, 49*time.Millisecond)
		}, want: Fail, check: "role"},
		{name: "what comes a little late is explained by little", crashed: "  expect lb2 is Master within detect+4ms", edit: func(t *tape) { t.stall(2150, time.Millisecond) },
			want: Inconclusive, check: "role"},
		{name: "what is tolerated does not change what explains", crashed: "  expect takeover_ms < 154", lines: "tolerate stall 1s", edit: func(t *tape) { t.stall(2150, time.Millisecond) },
			want: Inconclusive, check: "takeover"},
		{name: "a wait is missed by a stall as long as itself", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.At > ms(299) })
			t.stall(2000, time.Second)
			t.step(3000, plan.VerbWait, "timeout")
		}, want: Fail, check: "wait"},
		{name: "a wait that neither ended nor timed out", edit: func(t *tape) { t.without(func(e trace.Event) bool { return e.At > ms(299) }) },
			want: Inconclusive, check: "wait", detail: "the trace ends before it was true or timed out"},
		{name: "a wait that never began", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Step != nil && e.Step.Text == plan.VerbWait })
		},
			want: Inconclusive, check: "wait", detail: "the wait never began"},
		{name: "a wait is explained by a stall as long as itself", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.At > ms(299) })
			t.stall(3000, 3*time.Second)
			t.step(3000, plan.VerbWait, "timeout")
		}, want: Inconclusive, check: "wait", detail: "but the host stood still for 3s"},
		{name: "a stall after a claim came true", crashed: "  expect lb2 is Master within 1s", edit: func(t *tape) { t.stall(2500, 200*time.Millisecond) }, want: Pass},
		{name: "a stall before a claim came true", crashed: "  expect lb2 is Master within 1s", edit: func(t *tape) { t.stall(2150, 110*time.Millisecond) },
			want: Inconclusive, check: "role", detail: "but the host stood still for 110ms"},
		{name: "a state is of no time: what is tolerated does not explain", restored: "  expect lb1 is Backup throughout 1.5s", edit: func(t *tape) {
			t.role(4500, "lb1", "Backup", "Fault")
			t.stall(4500, 100*time.Millisecond)
		}, want: Fail, check: "role"},
		{name: "what is not tolerated does", restored: "  expect lb1 is Backup throughout 1.5s", edit: func(t *tape) {
			t.role(4500, "lb1", "Backup", "Fault")
			t.stall(4500, 101*time.Millisecond)
		}, want: Inconclusive, check: "role"},
		{name: "nor does a stall of another time", restored: "  expect lb2 is Backup throughout 1.5s", edit: func(t *tape) { t.stall(3500, 150*time.Millisecond) },
			want: Fail, check: "role"},
		{name: "a stall before a role moved explains where it still is", restored: "  expect lb2 is Backup throughout 1.5s", edit: func(t *tape) { t.stall(2140, 150*time.Millisecond) },
			want: Inconclusive, check: "role", detail: "but the host stood still for 150ms"},
		{name: "a stall before a role moved later does not", restored: "  expect lb2 is Backup throughout 1.5s", edit: func(t *tape) {
			t.role(5950, "lb1", "Backup", "Fault")
			t.stall(5940, 150*time.Millisecond)
		}, want: Fail, check: "role"},
		{name: "a stall does not explain a reset", lines: "always rst == 0", edit: func(t *tape) {
			t.stall(4500, 300*time.Millisecond)
			t.rst(4500)
		}, want: Fail, check: "rst"},

		{name: "a trace without its end", edit: func(t *tape) { t.without(func(e trace.Event) bool { return e.At >= ms(5000) }) },
			want: Inconclusive, check: "trace", detail: "before the end of the scenario"},
		{name: "a trace without the final totals of one line", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Totals != nil && e.Totals.Final && e.Totals.Name == "web" })
		},
			want: Inconclusive, check: "trace", detail: "no final totals of traffic web"},
		{name: "a trace without final totals", edit: func(t *tape) { t.without(func(e trace.Event) bool { return e.Totals != nil && e.Totals.Final }) },
			want: Inconclusive, check: "trace", detail: "no final totals of traffic web, probe"},
		{name: "a trace of another schema", edit: func(t *tape) { (*t)[0].Meta.Version = 99 }, want: Inconclusive, check: "trace", detail: "version 99"},
		{name: "traffic without answers proves nothing", lines: "always rst == 0 ; lost == 0", edit: func(t *tape) {
			t.totals(6012, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 2, Sent: 50})
		}, want: Inconclusive, check: "traffic", detail: "web: sent 50, received 0"},

		{name: "no takeover is no metric", lines: "always takeover_ms < 1", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.Node == "lb2" && e.Role != nil && e.Role.To == "Master" })
		}, want: Inconclusive, check: "takeover", detail: "not measured"},
		{name: "a node that is down for a part of the window", crashed: "  expect lb1 is Backup throughout 3s", want: Pass, check: "role"},
		{name: "how long it took to come true", crashed: "  expect lb2 is Master within detect+50ms", want: Pass, check: "role", detail: "after 155ms of 200ms"},
		{name: "what was true at once", restored: "  expect lb2 is Master within 1s", want: Pass, check: "role", detail: "after 0s of 1s"},
		{name: "a state that comes late and ends at once has not come", restored: "  expect lb1 is Master within 100ms", edit: func(t *tape) {
			t.role(4110, "lb1", "Backup", "Master")
			t.role(4110, "lb1", "Master", "Backup")
			t.role(4600, "lb1", "Backup", "Master")
			t.stall(4090, 50*time.Millisecond)
		}, want: Fail, check: "role"},
		{name: "a gap of which one message had no answer", lines: "always gap(probe) < 170ms", edit: func(t *tape) {
			t.add(2100, "client1", trace.Event{Kind: trace.KindGap, Gap: &trace.Gap{Name: "probe", Flow: "client1#0", From: ms(1900), To: ms(2100), Missed: 1}})
		}, want: Fail, check: "gap", detail: "from +1.900s to +2.100s, after crash lb1 at +2.000s"},
		{name: "a control of the other world claims nothing", lines: "[sim] control rst", edit: func(t *tape) { t.rst(4500) }, want: Pass},
		{name: "an expectation that begins after the trace has ended", crashed: "@2500ms expect lb2 is Master throughout 1s", edit: func(t *tape) {
			t.without(func(e trace.Event) bool { return e.At > ms(2150) })
		}, want: Inconclusive, check: "role", detail: "its step never began"},
		{name: "a window that ends with the run", restored: "  expect lb1 is Master within 2.01s", want: Fail, check: "role", detail: "not within 2.01s"},
		{name: "what is lost after the generators have ended is not of this run", lines: "always lost == 0", edit: func(t *tape) {
			t.traffic(6500, "web", "client1#1", trace.TrafficLost, "reset by peer")
			t.totals(7000, trace.Totals{Name: "other", Kind: plan.Probe, Proto: "udp"})
		}, want: Pass},
		{name: "a line of the other world is not judged", lines: "[sim] always rst == 0", edit: func(t *tape) { t.rst(4500) }, want: Pass},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tape := crash()
			if test.edit != nil {
				test.edit(tape)
			}
			v := judged(scenario(t, test.lines, test.crashed, test.restored), tape)
			if v.Verdict != test.want {
				t.Fatalf("verdict %s, want %s\n%s", v.Verdict, test.want, show(v))
			}
			if test.check == "" {
				return
			}
			for _, c := range v.Checks {
				if c.Name == test.check && c.Verdict == test.want && strings.Contains(c.Detail, test.detail) {
					return
				}
			}
			t.Fatalf("no check %q is %s with detail %q\n%s", test.check, test.want, test.detail, show(v))
		})
	}
}

// TestAStallExplainsWhatASubjectWithoutALeaseDoes: without a lease both nodes can become MASTER during
// a stall, and sessions known to only one of them may be lost long after it. A subject with a
// lease must prevent that.
func TestAStallExplainsWhatASubjectWithoutALeaseDoes(t *testing.T) {
	moved := func(t *tape) { t.traffic(4500, "web", "client1#1", trace.TrafficMoved, "backend1, then backend2") }
	for _, c := range []struct {
		name    string
		lacks   []string
		stalled float64
		took    time.Duration
		claim   string
		fail    func(*tape)
		want    Outcome
	}{
		{"a moved session", []string{capability.Lease}, 1500, 101 * time.Millisecond, "moved == 0", moved, Inconclusive},
		{"a reset", []string{capability.Lease}, 1500, 101 * time.Millisecond, "rst == 0", func(t *tape) { t.rst(4500) }, Inconclusive},
		{"a corrupt echo", []string{capability.Lease}, 1500, 101 * time.Millisecond, "corrupt == 0",
			func(t *tape) { t.traffic(4500, "web", "client1#1", trace.TrafficCorrupt, "sequence 7, want 6") }, Fail},
		{"with a lease", nil, 1500, 101 * time.Millisecond, "moved == 0", moved, Fail},
		{"a tolerated stall", []string{capability.Lease}, 1500, 100 * time.Millisecond, "moved == 0", moved, Fail},
		{"a stall before the traffic", []string{capability.Lease}, 290, 200 * time.Millisecond, "moved == 0", moved, Fail},
		{"a stall that ends as the traffic begins", []string{capability.Lease}, 300, 101 * time.Millisecond, "moved == 0", moved, Fail},
		{"a stall after the failure", []string{capability.Lease}, 5000, 101 * time.Millisecond, "moved == 0", moved, Fail},
	} {
		tape := crash()
		(*tape)[0].Meta.Lacks = c.lacks
		if c.lacks != nil {
			tape.without(func(e trace.Event) bool { return e.Lease != nil })
		}
		tape.stall(c.stalled, c.took)
		c.fail(tape)
		if v := judged(scenario(t, "always "+c.claim, "", ""), tape); v.Verdict != c.want {
			t.Errorf("%s: %s, want %s\n%s", c.name, v.Verdict, c.want, show(v))
		}
	}
}

// TestOneStallIsOneReason: it names each kind of claim once of which the run proves nothing.
func TestOneStallIsOneReason(t *testing.T) {
	tape := crash()
	tape.stall(3000, 200*time.Millisecond)
	v := judged(scenario(t, "always rst == 0 ; lost == 0", "  expect rst == 0", ""), tape)
	want := "the host stood still for 200ms at +2.800s, longer than the tolerated 100ms: this run proves nothing about rst, lost"
	if v.Verdict != Inconclusive || len(v.Reasons) != 1 || v.Reasons[0] != want {
		t.Errorf("%s", show(v))
	}
}

// TestAStallLeavesAloneWhatIsNotJudged: a claim that the subject reports nothing about, and one that is
// INCONCLUSIVE for another reason.
func TestAStallLeavesAloneWhatIsNotJudged(t *testing.T) {
	tape := silent(crash())
	tape.stall(3000, 200*time.Millisecond)
	tape.fault(2003, fault.Crash, "lb1", "failed")
	v := judged(scenario(t, "always rst == 0 ; replica ; handover_ms < 9", "", ""), tape)
	for name, want := range map[string]string{plan.Replica: "replica: the subject does not provide replica", "handover": "not measured"} {
		if _, detail := outcome(v, name); !strings.HasSuffix(detail, want) {
			t.Errorf("%s: %s\n%s", name, detail, show(v))
		}
	}
	if got, _ := outcome(v, plan.Replica); got != NotJudged {
		t.Errorf("replica is %s\n%s", got, show(v))
	}
}

// TestAMetricIsTheMostOfItsSamples: not the last.
func TestAMetricIsTheMostOfItsSamples(t *testing.T) {
	tape := crash()
	tape.role(4500, "lb1", "Backup", "Master")
	tape.role(4600, "lb1", "Master", "Backup")
	if v := judged(scenario(t, "", "", ""), tape); v.Metrics["masters"] != 2 {
		t.Errorf("masters is %v, want 2", v.Metrics["masters"])
	}
}

// TestALoadThatWasNotOfferedFailedFirst, and a check without a time last.
func TestALoadThatWasNotOfferedFailedFirst(t *testing.T) {
	load, timed, untimed := Check{Name: plan.CheckLoad}, Check{Name: "rst", Failed: &Span{ms(1), ms(2)}}, Check{Name: plan.CheckLeaks}
	if !(load.FailedAt() < timed.FailedAt() && timed.FailedAt() < untimed.FailedAt()) {
		t.Errorf("load at %v, rst at %v, leaks at %v", load.FailedAt(), timed.FailedAt(), untimed.FailedAt())
	}
}

// TestWhatExcusesTwoForwarders: partings that follow one another excuse what they cover together.
func TestWhatExcusesTwoForwarders(t *testing.T) {
	parts := []parting{
		{window{ms(100), ms(200)}, ms(250), "one"},
		{window{ms(240), ms(300)}, ms(300), "two"},
		{window{ms(500), ms(600)}, ms(600), "three"},
	}
	for _, test := range []struct {
		from, to float64
		why      string
		rest     float64 // where the part that nothing excuses begins; to if all is excused
	}{
		{100, 200, "two", 200}, {99, 200, "", 99}, {150, 250, "two", 250}, {199, 300, "two", 300}, {200, 210, "", 200},
		{150, 301, "two", 300}, {300, 301, "", 300}, {550, 700, "three", 600}, {610, 620, "", 610},
	} {
		why, rest, ok := excuse(parts, window{ms(test.from), ms(test.to)})
		if why != test.why || rest != (window{ms(test.rest), ms(test.to)}) || ok != (test.rest == test.to) {
			t.Errorf("%v to %v: excused %v by %q, except from %v to %v", test.from, test.to, ok, why, rest.from, rest.to)
		}
	}
}

// TestJudgeLeavesTheTraceAlone: the caller's events keep their order.
func TestJudgeLeavesTheTraceAlone(t *testing.T) {
	tape := crash()
	tape.rst(2500)
	last := len(*tape) - 1
	Judge(scenario(t, "", "", ""), *tape)
	if (*tape)[last].RST == nil {
		t.Error("Judge has sorted the events of its caller")
	}
}

// TestWindowsThatTouchOverlap: both ends belong to a window.
func TestWindowsThatTouchOverlap(t *testing.T) {
	one, two, three := window{1, 2}, window{2, 3}, window{3, 4}
	if !one.overlaps(two) || !two.overlaps(one) || one.overlaps(three) || three.overlaps(one) {
		t.Error("want that a window overlaps the one that it touches, and no further one")
	}
}

// TestWhatFollowsAWaitThatTimedOutNeverBegan: the time of an expectation counts from the end of the waits before.
func TestWhatFollowsAWaitThatTimedOutNeverBegan(t *testing.T) {
	tape := crash()
	tape.without(func(e trace.Event) bool { return e.At > ms(299) })
	tape.step(3000, plan.VerbWait, "timeout")
	tape.role(5000, "lb1", "Master", "Master")
	v := judged(scenario(t, "", "@2500ms expect lb2 is Master throughout 1s", ""), tape)
	if got, detail := outcome(v, "role"); got != Inconclusive || !strings.Contains(detail, "its step never began") {
		t.Errorf("%s: %s", got, detail)
	}
}

// TestOnlyLinesThatCanBeUnansweredAre: a run without such a line proves nothing wrong.
func TestOnlyLinesThatCanBeUnansweredAre(t *testing.T) {
	p, found := plan.Check("u.scn", []byte("scenario u\nservice dns udp 198.18.0.100:53\ntraffic probe probe udp\n"+
		"@0s wait lb1 is Master and lb2 insync within 3s\n@2s crash lb1\n@4s restore lb1\n@6s end\n"))
	if errs := found.Errors(true); len(errs) > 0 {
		t.Fatal(errs)
	}
	tape := crash()
	tape.without(func(e trace.Event) bool { return e.Totals != nil && e.Totals.Name == "web" })
	v := judged(p, tape)
	if got, _ := outcome(v, "unanswered"); got != "absent" || v.Verdict != Pass {
		t.Error(show(v))
	}
}

// TestTheSessionsOfARunAreThoseThatOpened: in all, not at one time; without such traffic there is no number.
func TestTheSessionsOfARunAreThoseThatOpened(t *testing.T) {
	tape := crash()
	tape.totals(6012, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 7, Sent: 100, Received: 100})
	if v := judged(scenario(t, "", "", ""), tape); v.Metrics["sessions"] != 7 {
		t.Errorf("%v sessions, want the 7 that opened", v.Metrics["sessions"])
	}
	tape.without(func(e trace.Event) bool { return e.Totals != nil && e.Totals.Name == "web" })
	if sessions, measured := judged(scenario(t, "", "", ""), tape).Metrics["sessions"]; measured {
		t.Errorf("%v sessions without such traffic, want none measured", sessions)
	}
}

// TestWhatNoStallExcuses: what a subject with a lease must keep, whatever the host does, and what the
// clients' own data shows. Of these a subject without a lease is excused from some.
func TestWhatNoStallExcuses(t *testing.T) {
	never := []string{"forwarders", "rst", "lost", "corrupt", "incomplete", plan.Sticky, "unanswered", "unechoed", "verified", "rtt", "dropped", "strays",
		"exit", plan.Gates, plan.Announce, plan.Exclusive, plan.Kept, "output", plan.CheckLeaks}
	without := []string{"forwarders", "rst", "lost", plan.Sticky}
	for _, name := range plan.CheckNames() {
		if excusedByStall[name] == slices.Contains(never, name) {
			t.Errorf("a stall excuses %s: %v", name, excusedByStall[name])
		}
		if excusedWithoutLease[name] != slices.Contains(without, name) {
			t.Errorf("a stall excuses %s of a subject without a lease: %v", name, excusedWithoutLease[name])
		}
	}
}

// TestAStallBeforeALaterWaitCounts: only the waits at 0s come before anything is measured.
func TestAStallBeforeALaterWaitCounts(t *testing.T) {
	p := scenario(t, "tolerate stall 100ms\nalways rst == 0", "", "@5s wait lb2 is Master within 500ms")
	later := len(p.Steps) - 2
	tape := crash()
	tape.stall(3000, 101*time.Millisecond)
	for i, e := range *tape {
		if e.Step != nil {
			step := *e.Step
			step.Index = slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.Verb == step.Text })
			(*tape)[i].Step = &step
		}
	}
	for _, phase := range []string{"begin", "end"} {
		tape.add(5000, "", trace.Event{Kind: trace.KindStep, Step: &trace.Step{Index: later, Text: p.Steps[later].String(), Phase: phase}})
	}
	if got, detail := outcome(Judge(p, *tape), "rst"); got != Inconclusive {
		t.Errorf("%s: %s, want INCONCLUSIVE", got, detail)
	}

	tape.without(func(e trace.Event) bool { return e.Stall != nil || e.At == ms(5000) })
	for at, phase := range map[float64]string{5000: "begin", 5200: "end"} {
		tape.add(at, "", trace.Event{Kind: trace.KindStep, Step: &trace.Step{Index: later, Text: p.Steps[later].String(), Phase: phase}})
	}
	tape.stall(5150, 101*time.Millisecond)
	waits := 0
	for _, c := range Judge(p, *tape).Checks {
		if c.Name == plan.CheckWait && c.Line == p.Steps[later].Pos.Line && c.Verdict == Inconclusive {
			waits++
		}
	}
	if waits != 1 {
		t.Error("a later wait came true in a stall: want that it proves nothing")
	}
}

// TestLinesOfTwoWorlds: of lines with one name, and of two end steps, those of the run's world count.
func TestLinesOfTwoWorlds(t *testing.T) {
	p, found := plan.Check("w.scn", []byte("scenario w\nservice web tcp 198.18.0.100:80\n[sim] traffic web sessions tcp count=2 every=100ms\n"+
		"[netns] traffic web connects tcp rate=10/s\n@0s wait lb1 is Master within 3s\n[sim] @5s end\n[netns] @6s end\n"))
	if errs := found.Errors(true); len(errs) > 0 {
		t.Fatal(errs)
	}
	for world, want := range map[string]struct {
		kind string
		end  int
	}{plan.Sim: {plan.Sessions, 1}, plan.Netns: {plan.Connects, 2}} {
		tape := crash()
		(*tape)[0].Meta.World = world
		if kind, end := NewState(p, world).kind("web"), newRun(p, *tape).endStep(); kind != want.kind || end != want.end {
			t.Errorf("%s: web is of %s, and step %d is the end; want %s and %d", world, kind, end, want.kind, want.end)
		}
	}
}

// TestTheWaitsAtTheBeginAloneAreNotMeasured: a fault at 0s may take longer than the waits, and a stall meanwhile counts.
func TestTheWaitsAtTheBeginAloneAreNotMeasured(t *testing.T) {
	p, found := plan.Check("b.scn", []byte("scenario b\nservice web tcp 198.18.0.100:80\ntraffic web sessions tcp count=2 every=100ms\nalways rst == 0\n"+
		"@0s wait lb1 is Master and lb2 insync within 3s\n@0s cut lb1->lb2 via sync\n@6s end\n"))
	if errs := found.Errors(true); len(errs) > 0 {
		t.Fatal(errs)
	}
	tape := crash()
	tape.step(310, fault.Cut, "begin")
	tape.struck(310, fault.Cut, "lb1->lb2 via sync")
	tape.stall(900, 200*time.Millisecond)
	tape.step(1000, fault.Cut, "end")
	tape.step(1000, fault.Cut, "unknown") // of a newer runner
	if got, detail := outcome(judged(p, tape), "rst"); got != Inconclusive {
		t.Errorf("%s: %s, want INCONCLUSIVE", got, detail)
	}
}
