package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// A run whose generator offered less than the scenario says proves nothing; the reason says how much
// is missing. A little lateness is normal.
func TestALoadThatWasNotOfferedProvesNothing(t *testing.T) {
	for _, test := range []struct {
		name   string
		totals trace.Totals
		want   Outcome
		says   string
	}{
		{"in time", trace.Totals{Meant: 6000, Latest: 4.2}, Pass, "web: 6000, up to 4.2ms late"},
		{"a message in a hundred", trace.Totals{Meant: 6000, Late: 60, Latest: 140}, Pass, "web: 6000, up to 140ms late"},
		{"more than that", trace.Totals{Meant: 6000, Late: 61, Latest: 1300}, Inconclusive, "of 6000 messages of web, 61 began more than 100ms late, by up to 1.3s\n"},
		{"without a port", trace.Totals{Meant: 6000, Unstarted: 61}, Inconclusive, "of 6000 messages of web, 61 never began, for want of a port or a file"},
		{"a few without a port", trace.Totals{Meant: 6000, Unstarted: 60, Latest: 4.2}, Pass, "web: 5940, up to 4.2ms late"},
		{"both", trace.Totals{Meant: 6000, Late: 31, Unstarted: 30, Latest: 200}, Inconclusive, "31 began more than 100ms late, by up to 200ms and 30 never began"},
		{"who does not tell", trace.Totals{}, Pass, "no traffic tells when it was sent"},
	} {
		tape := crash()
		for i, e := range *tape {
			if e.Totals != nil && e.Totals.Name == "web" {
				total := *e.Totals
				total.Meant, total.Late, total.Unstarted, total.Latest = test.totals.Meant, test.totals.Late, test.totals.Unstarted, test.totals.Latest
				(*tape)[i].Totals = &total
			}
		}
		v := judged(scenario(t, "always masters <= 1", "", ""), tape)
		if v.Verdict != test.want || test.want == Inconclusive && (len(v.Reasons) != 1 || !strings.HasPrefix(v.Reasons[0], plan.CheckLoad+": the generator did not offer the load of the scenario: ")) ||
			!strings.Contains(show(v), test.says) {
			t.Errorf("%s: want %s, %q\n%s", test.name, test.want, test.says, show(v))
		}
	}
	tape := crash()
	tape.totals(6012, trace.Totals{Name: "new", Kind: plan.Connects, Proto: "tcp", Final: true, Meant: 100, Unstarted: 2, Sent: 98, Received: 98})
	if got, detail := outcome(judged(scenario(t, "traffic new connects tcp rate=10/s", "", ""), tape), plan.CheckLoad); got != Inconclusive || !strings.Contains(detail, "of 100 connects of new, 2 never began") {
		t.Errorf("connects: %s %s", got, detail)
	}
}

// The evidence of a short load is when the generator of that line was behind, not that of another.
func TestALoadIsShortWhileItsGeneratorIsBehind(t *testing.T) {
	tape := crash()
	tape.add(900, "", trace.Event{Kind: trace.KindStall, Stall: &trace.Stall{Took: trace.Dur(100 * time.Millisecond), Line: "web"}}) // tolerated
	for i, line := range []string{"probe", "web"} {
		tape.add(float64(1000+1000*i), "", trace.Event{Kind: trace.KindStall, Stall: &trace.Stall{Took: trace.Dur(300 * time.Millisecond), Line: line}})
	}
	for i, e := range *tape {
		if e.Totals != nil && e.Totals.Name == "web" {
			total := *e.Totals
			total.Meant, total.Late, total.Latest = 6000, 100, 300
			(*tape)[i].Totals = &total
		}
	}
	v := judged(scenario(t, "always masters <= 1", "", ""), tape)
	i := slices.IndexFunc(v.Checks, func(c Check) bool { return c.Name == plan.CheckLoad })
	if i < 0 || v.Checks[i].Failed == nil || v.Checks[i].Failed.To != ms(2000) {
		t.Errorf("want that it failed until %v\n%s", ms(2000), show(v))
	}
}

// A generator that is behind explains its own measurements, not what the nodes do.
func TestAGeneratorThatIsBehindExplainsWhatItMeasures(t *testing.T) {
	behind := func(t *tape) {
		t.add(2350, "", trace.Event{Kind: trace.KindStall, Stall: &trace.Stall{Took: trace.Dur(300 * time.Millisecond), Line: "probe"}})
	}
	for _, test := range []struct {
		lines, crashed string
		edit           func(*tape)
		want           Outcome
	}{
		{"always gap(probe) < 200ms", "", func(t *tape) { t.gap("probe", "client1/0", 2000, 2300) }, Inconclusive},
		{"always connects_failed == 0\ntraffic new connects service=web", "", func(t *tape) {
			t.traffic(2300, "new", "client1/9", trace.TrafficFailed, "")
			t.totals(6000, trace.Totals{Name: "new", Kind: plan.Connects, Opened: 9, Failed: 1, Sent: 10, Received: 9, Final: true})
		}, Inconclusive},
		{"always rst == 0", "", func(t *tape) { t.rst(2300) }, Fail},
		{"", "expect lb2 is Master within 100ms", func(*tape) {}, Fail},
		{"always rst == 0", "expect lb2 is Master within 200ms", func(*tape) {}, Pass},
	} {
		tape := crash()
		behind(tape)
		test.edit(tape)
		if v := judged(scenario(t, test.lines, test.crashed, ""), tape); v.Verdict != test.want {
			t.Errorf("%s %s: want %s\n%s", test.lines, test.crashed, test.want, show(v))
		} else if test.want == Inconclusive && !strings.Contains(v.Reasons[0], "the generator of probe was behind for 300ms at +2.050s") {
			t.Errorf("%s: %v", test.lines, v.Reasons)
		}
	}
}
