package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/metric"
	"baton/scenarios/plan"
)

// standingMetrics are not counts of events: they are known at the end of a traffic line, or have a
// value at each instant.
var standingMetrics = []string{"unanswered", "unechoed", "sessions", "verified", "rtt_p50_ms", "rtt_p99_ms", "rtt_max_ms", "exit"}

// plants has, for each other metric, an event that raises it.
var plants = func() map[string]func(*tape, float64) {
	lost := func(event string) func(*tape, float64) {
		return func(t *tape, at float64) { t.traffic(at, "web", "client1#1", event, "") }
	}
	gap := func(line string) func(*tape, float64) {
		return func(t *tape, at float64) {
			for _, flow := range []string{"client1#0", "client1#1"} {
				t.gap(line, flow, at-50, at)
			}
		}
	}
	loss := func(planned bool) func(*tape, float64) {
		return func(t *tape, at float64) {
			t.add(at, "", trace.Event{Kind: trace.KindLoss, Loss: &trace.Loss{Where: "clients", Why: "cut", Count: 3, Planned: planned}})
		}
	}
	takeover := func(t *tape, at float64) {
		t.struck(at, fault.Kill, "lb1")
		for _, path := range []string{"clients", "sync"} {
			t.bfd(at+5, "lb2", path, "Up", "Down", 0)
		}
		t.promote(at+9, "lb2", at+9)
		t.gap("web", "client1#0", at-10, at+20)
		t.role(at+30, "lb2", "Master", "Backup")
		t.role(at+31, "lb1", "Backup", "Master")
	}
	synced := func(t *tape, at float64) { t.sync(at, "lb2", "insync", 7, time.Second) }
	return map[string]func(*tape, float64){
		"masters": func(t *tape, at float64) {
			t.role(at, "lb2", "Backup", "Master")
			t.role(at+10, "lb2", "Master", "Backup")
		},
		"forwarders": func(t *tape, at float64) { t.lease(at, "lb2", at+10) },
		"rst":        func(t *tape, at float64) { t.rst(at) },
		"lost":       lost(trace.TrafficLost), "corrupt": lost(trace.TrafficCorrupt), "moved": lost(trace.TrafficMoved),
		"connects_failed": func(t *tape, at float64) { t.traffic(at, "new", "client1#1", trace.TrafficFailed, "") },
		"incomplete":      func(t *tape, at float64) { t.traffic(at, "big", "client1#1", trace.TrafficLost, "") },
		"gap":             gap("web"), "gap_tcp_p50_ms": gap("web"), "gap_tcp_p99_ms": gap("web"), "gap_tcp_max_ms": gap("web"),
		"gap_udp_max_ms": gap("probe"),
		"restore_gap_ms": func(t *tape, at float64) { t.struck(at, fault.Restore, "lb2"); t.gap("probe", "client1#0", at+1, at+9) },
		"detect_ms":      takeover, "takeover_ms": takeover, "unready_ms": takeover,
		"handover_ms": func(t *tape, at float64) {
			t.struck(at, fault.Handover, "lb1")
			t.role(at+1, "lb1", "Master", "Yielding")
			t.role(at+5, "lb2", "Claiming", "Master")
			t.role(at+30, "lb2", "Master", "Backup")
			t.role(at+31, "lb1", "Backup", "Master")
		},
		"dual_ms": func(t *tape, at float64) {
			t.forwarder(at, "lb2", "lb1", at)
			t.forwarder(at+20, "lb1", "lb2", at+20)
			t.forwarder(at+40, "lb2", "lb1", at+40)
			t.forwarder(at+60, "lb1", "lb2", at+60)
		},
		"sync_ms": synced, "sync_entries": synced,
		"dropped": loss(true), "strays": loss(false),
		"role_changes": func(t *tape, at float64) {
			t.role(at, "lb2", "Backup", "Master")
			t.role(at+10, "lb2", "Master", "Backup")
		},
	}
}()

// TestAMetricCountsWhatHappensInItsWindow: an event raises a metric if it happens within the window,
// and does not if it happens before or after.
func TestAMetricCountsWhatHappensInItsWindow(t *testing.T) {
	p := windowPlan(t)
	recorded := func(plant func(*tape, float64), at float64) *run { return newRun(p, *planted(plant, at)) }
	w := window{ms(20_000), ms(30_000)}
	most := func(name string, r *run) (value float64) {
		for _, s := range r.samples(name, "", w) {
			value = max(value, s.value)
		}
		return value
	}
	for _, m := range metric.All() {
		plant, has := plants[m.Name]
		if has == slices.Contains(standingMetrics, m.Name) {
			t.Errorf("%s: want either an event that raises it, or a reason why there is none", m.Name)
		}
		if !has {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			rest := most(m.Name, recorded(func(*tape, float64) {}, 0))
			in := recorded(plant, 25_000)
			if got := most(m.Name, in); got <= rest {
				t.Fatalf("%v in the window, and %v without: want more", got, rest)
			}
			term := plan.Term{Factor: rest}
			if m.Unit == metric.Duration {
				term.Unit = time.Millisecond
			}
			claim := plan.Compare{Metric: m.Name, Op: "<=", Value: plan.Expr{Terms: []plan.Term{term}}}
			f := in.compare(finding{}, claim, w)
			if f.Verdict != Fail || len(f.evidence) == 0 || strings.Count(f.Detail, ": ") < 2 {
				t.Fatalf("%s <= %v: %s %q at %v, want a failure with what was seen and when", m.Name, rest, f.Verdict, f.Detail, f.evidence)
			}
			for _, e := range f.evidence {
				if e.from < ms(24_900) || e.to > ms(25_200) {
					t.Errorf("%s <= %v: %q failed over %s, want the time of the event at 25s", m.Name, rest, f.Detail, in.span(e))
				}
			}
			for _, at := range []float64{10_000, 35_000} {
				if out := most(m.Name, recorded(plant, at)); out != rest {
					t.Errorf("%v although it happened at %vs, outside of %s: want %v", out, at/1000, recorded(plant, at).span(w), rest)
				}
			}
		})
	}
}

// TestBothEndsOfAWindowBelongToIt: an event at its first or last instant counts.
func TestBothEndsOfAWindowBelongToIt(t *testing.T) {
	p := windowPlan(t)
	for _, name := range []string{"rst", "lost", "corrupt", "moved", "connects_failed", "incomplete", "dropped", "strays", "role_changes"} {
		for _, at := range []float64{20_000, 30_000} {
			got := newRun(p, *planted(plants[name], at)).samples(name, "", window{ms(20_000), ms(30_000)})
			if len(got) != 1 || got[0].value == 0 {
				t.Errorf("%s at %v ms: %+v", name, at, got)
			}
		}
	}
}

// TestAMetricHasItsValueAtOnce: an event that raises a metric over a window raises its present value.
func TestAMetricHasItsValueAtOnce(t *testing.T) {
	p := windowPlan(t)
	most := func(name string, recorded *tape) (value float64) {
		s := NewState(p, plan.Sim)
		for i := range *recorded {
			if s.Apply(&(*recorded)[i]); s.Now > ms(25_000) {
				now, known := measures[name].now(s, "")
				if !known {
					t.Fatalf("%s is not known", name)
				}
				value = max(value, now)
			}
		}
		return value
	}
	for _, m := range metric.All() {
		plant, has := plants[m.Name]
		if !m.Now || !has {
			continue
		}
		rest := most(m.Name, planted(func(*tape, float64) {}, 0))
		if is := most(m.Name, planted(plant, 25_000.1)); is <= rest {
			t.Errorf("%s is %v at most, and %v without the event: want more", m.Name, is, rest)
		}
	}
}

// TestTotalsCountOverTheWholeRun: losses without an event, and round trips, are known only from the final
// totals, and say nothing about a part of the run.
func TestTotalsCountOverTheWholeRun(t *testing.T) {
	r := newRun(windowPlan(t), *planted(func(t *tape, _ float64) {
		t.totals(60_012, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 2, Lost: 3, Sent: 9, Received: 9, RTTp50: 1, RTTMax: 2})
	}, 0))
	for _, test := range []struct {
		name   string
		window window
		lost   float64
		trips  int
	}{
		{"the whole run", r.window, 3, 1},
		{"without its end", window{r.from, r.to - 1}, 0, 0},
		{"without its begin", window{r.from + 1, r.to}, 0, 0},
	} {
		if lost := r.samples("lost", "", test.window); len(lost) != 1 || lost[0].value != test.lost {
			t.Errorf("%s: %+v, want %v lost", test.name, lost, test.lost)
		}
		if trips := r.samples("rtt_p50_ms", "", test.window); len(trips) != test.trips {
			t.Errorf("%s: round trips %+v", test.name, trips)
		}
	}
}

// TestAMetricOfOneLine: what other lines report neither counts for it nor says that it has a value.
func TestAMetricOfOneLine(t *testing.T) {
	p := windowPlan(t)
	recorded := planted(func(t *tape, _ float64) {
		t.totals(500, trace.Totals{Name: "two", Kind: plan.Sessions, Proto: "tcp", Sessions: 5})
		for i, line := range []string{"web", "web", "probe"} {
			t.traffic(20_000+float64(i), line, "client1#0", trace.TrafficMoved, "")
		}
	}, 0)
	r := newRun(p, *recorded)
	for _, test := range []struct {
		line     string
		from, to float64
		want     []float64
	}{
		{"web", 600, 900, nil}, {"two", 600, 900, []float64{5}}, {"", 600, 900, []float64{5}}, {"web", 1000, 1000, []float64{2}}, {"", 1000, 1000, []float64{7}},
	} {
		var got []float64
		for _, s := range r.samples("sessions", test.line, window{ms(test.from), ms(test.to)}) {
			got = append(got, s.value)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("sessions(%s) from %v to %v ms: %v, want %v", test.line, test.from, test.to, got, test.want)
		}
	}
	s := NewState(p, plan.Sim)
	for i := range *recorded {
		s.Apply(&(*recorded)[i])
	}
	for line, want := range map[string]float64{"": 3, "web": 2, "probe": 1, "new": 0} {
		if got, known := measures["moved"].now(s, line); got != want || !known {
			t.Errorf("moved(%s) is %v, want %v", line, got, want)
		}
	}
}

// windowPlan has traffic of each kind that a metric of plants needs.
func windowPlan(t *testing.T) *plan.Plan {
	t.Helper()
	p, problems := plan.Check("w.scn", []byte("scenario w\nservice web tcp 198.18.0.100:80\nservice dns udp 198.18.0.100:53\n"+
		"traffic web sessions tcp count=2 every=100ms\ntraffic new connects tcp rate=10/s\ntraffic big bulk tcp size=1000000 count=1\n"+
		"traffic probe probe udp\n@0s wait lb1 is Master and lb2 insync within 3s\n@30s end\n"))
	if errs := problems.Errors(true); len(errs) > 0 {
		t.Fatal(errs)
	}
	return p
}

// planted is a run of a minute in which each traffic line reports and nothing else happens except the
// events of plant.
func planted(plant func(*tape, float64), at float64) *tape {
	tape := lasting()
	for _, line := range []trace.Totals{
		{Name: "new", Kind: plan.Connects, Proto: "tcp"}, {Name: "big", Kind: plan.Bulk, Proto: "tcp"}, {Name: "probe", Kind: plan.Probe, Proto: "udp"},
	} {
		tape.totals(900, line)
	}
	for _, node := range lab.Nodes() {
		for _, path := range []string{"clients", "sync"} {
			tape.bfd(50, node, path, "Init", "Up", 0)
		}
	}
	tape.struck(1000, fault.Cut, "lb1->backends")
	tape.struck(1001, fault.Heal, "")
	plant(tape, at)
	trace.Sort(*tape)
	return tape
}
