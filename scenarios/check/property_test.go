package check

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// A truncated trace is never a PASS: the missing part may hold the failure.
func TestACutOffTraceIsNeverAPass(t *testing.T) {
	p := scenario(t, everything, afterCrash, afterRestore)
	whole := *crash()
	trace.Sort(whole)
	for n := range len(whole) {
		part := append(tape{}, whole[:n]...)
		if v := judged(p, &part); v.Verdict == Pass {
			t.Fatalf("the first %d of %d events pass\n%s", n, len(whole), show(v))
		}
	}
}

// An empty trace proves nothing, and says so.
func TestAnEmptyTraceProvesNothing(t *testing.T) {
	v := Judge(scenario(t, "always rst == 0 ; served", "", ""), nil)
	if v.Verdict != Inconclusive || v.Reasons[0] != "trace: the trace is empty" {
		t.Error(show(v))
	}
}

// A trace with missed events is never a PASS either, because they may hold the failure. A FAIL stays a
// FAIL.
func TestATraceThatMissesSomethingIsNeverAPass(t *testing.T) {
	p := scenario(t, everything, afterCrash, afterRestore)
	whole := crash()
	whole.add(6000, "", trace.Event{Kind: trace.KindMissed, Missed: &trace.Missed{What: "frames of the clients edge", Count: 3, Why: "the ring of the capture was full"}})
	if v := judged(p, whole); v.Verdict != Inconclusive || !strings.Contains(strings.Join(v.Reasons, "\n"), "3 frames of the clients edge: the ring of the capture was full") {
		t.Errorf("%s", show(v))
	}
	whole.traffic(3000, "web", "client1#0", trace.TrafficLost, "x")
	if v := judged(p, whole); v.Verdict != Fail {
		t.Errorf("%s", show(v))
	}
}

// Judge returns a verdict for any trace, always the same one. A failure of the whole run stays a
// failure when further events are added.
func TestJudgeIsTotal(t *testing.T) {
	p := scenario(t, everything, afterCrash, afterRestore)
	base := *crash()
	rapid.Check(t, func(t *rapid.T) {
		var mixed tape
		for _, e := range base {
			switch rapid.IntRange(0, 9).Draw(t, "keep") {
			case 0: // lost
			case 1:
				mixed = append(mixed, e, e)
			case 2:
				e.At = ms(float64(rapid.IntRange(-1000, 7000).Draw(t, "at")))
				mixed = append(mixed, e)
			case 3:
				e.Node = rapid.SampledFrom([]string{"", "lb1", "lb2", "client1", "lb9"}).Draw(t, "node")
				mixed = append(mixed, e)
			case 4:
				mixed = append(mixed, trace.Event{At: e.At, Kind: e.Kind, Node: e.Node}) // without its payload
			default:
				mixed = append(mixed, e)
			}
		}
		mixed.rst(3000)
		one, two := judged(p, &mixed), judged(p, &mixed)
		if show(one) != show(two) {
			t.Fatalf("two answers:\n%s\n%s", show(one), show(two))
		}
		if one.Verdict == Pass {
			t.Fatalf("a pass in spite of a reset\n%s", show(one))
		}
		for _, c := range one.Checks {
			if c.Name == "" || c.Detail == "" || c.Verdict == "" {
				t.Fatalf("check %+v says nothing", c)
			}
		}
	})
}

// Every check that a control can name without stating its claim can fail.
func TestEveryImpliedCheckCanFail(t *testing.T) {
	breaking := map[string]func(*tape){
		"rst": func(t *tape) { t.rst(3000) },
		"unanswered": func(t *tape) {
			t.totals(6013, trace.Totals{Name: "idle", Kind: plan.Flows, Proto: "udp", Final: true, Opened: 7, Failed: 2, Sent: 9, Received: 7})
		},
		"incomplete":      func(t *tape) { t.traffic(3000, "copy", "client1#0", trace.TrafficLost, "x") },
		"lost":            func(t *tape) { t.traffic(3000, "web", "client1#0", trace.TrafficLost, "x") },
		"corrupt":         func(t *tape) { t.traffic(3000, "web", "client1#0", trace.TrafficCorrupt, "x") },
		"sticky":          func(t *tape) { t.traffic(3000, "web", "client1#0", trace.TrafficMoved, "x") },
		"masters":         func(t *tape) { t.role(5000, "lb1", "Backup", "Master") },
		"forwarders":      func(t *tape) { t.lease(5000, "lb1", 5500) },
		"gates":           func(t *tape) { t.role(5000, "lb1", "Backup", "Claiming") },
		"announce":        func(t *tape) { t.announce(5000, "lb1") },
		"replica":         func(t *tape) { t.replica(5000, "lb1", "cc") },
		"converged":       func(t *tape) { t.role(5000, "lb1", "Backup", "Fault") },
		"connects_failed": func(t *tape) { t.traffic(3000, "new", "client1#0", trace.TrafficFailed, "refused") },
		"exclusive":       func(t *tape) { t.lease(5000, "lb1", 5500) },
		"rests":           func(t *tape) { t.loop(5000, "lb1", trace.Loop{Timers: 1, Idle: 1, Late: 1}) },
		"kept": func(t *tape) {
			t.entries(4800, "lb2", 1)
			t.totals(5000, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Sessions: 2, Opened: 2})
		},
	}
	for _, name := range plan.CheckNames() {
		if _, implied := plan.Implied(name); !implied || name == plan.Served { // a repair takes longer than this run: see TestLiveness
			continue
		}
		t.Run(name, func(t *testing.T) {
			tape := crash()
			lines := "control " + name
			if name == "connects_failed" {
				lines += "\ntraffic new connects"
				tape.totals(6012, trace.Totals{Name: "new", Kind: plan.Connects, Proto: "tcp", Final: true, Sent: 9, Received: 8})
			}
			if name == "incomplete" {
				lines += "\ntraffic copy bulk"
				tape.totals(6012, trace.Totals{Name: "copy", Kind: plan.Bulk, Proto: "tcp", Final: true, Sent: 9, Received: 8})
			}
			if name == "unanswered" {
				lines += "\ntraffic idle flows udp"
				tape.totals(6012, trace.Totals{Name: "idle", Kind: plan.Flows, Proto: "udp", Final: true, Opened: 9, Sent: 9, Received: 9})
			}
			p := scenario(t, lines, "", "")
			if v := judged(p, tape); v.Verdict != Fail {
				t.Errorf("caught in a clean run:\n%s", show(v))
			}
			breaking[name](tape)
			if v := judged(p, tape); v.Verdict != Pass {
				t.Errorf("not caught:\n%s", show(v))
			}
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	p, found := plan.Check("b.scn", []byte("scenario b\nservice web tcp 198.18.0.100:80\nservice dns udp 198.18.0.100:53\n"+
		"traffic web sessions\ntraffic probe probe\n"+everything+"\n@0s wait lb1 is Master and lb2 insync within 3s\n@2s crash lb1\n"+afterCrash+
		"\n@4s restore lb1\n"+afterRestore+"\n@6s end\n"))
	if len(found) > 0 {
		b.Fatal(found)
	}
	// A run of 500 sessions writes some ten thousand events: leases and gaps.
	t := crash()
	for i := range 10_000 {
		t.gap("probe", "client1#0", 1000+float64(i)/4, 1000+float64(i)/4+5)
	}
	b.ReportMetric(float64(len(*t)), "events")
	for b.Loop() {
		judged(p, t)
	}
}
