package check

import (
	"testing"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// A metric counts only lines of its kind: a session that was never established is no failed connect;
// unanswered counts it.
func TestCountsAreOfTheirKindOfTraffic(t *testing.T) {
	p := scenario(t, "traffic new connects\nalways connects_failed == 0", "", "")
	unopened := trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 1, Failed: 1, Sent: 2, Received: 2}
	tape := crash()
	tape.totals(6012, trace.Totals{Name: "new", Kind: plan.Connects, Proto: "tcp", Final: true, Sent: 9, Received: 9})
	tape.traffic(3000, "web", "client1/1", trace.TrafficFailed, "no connection for 3s")
	tape.totals(6013, unopened)
	verdicts := map[string]Outcome{}
	for _, c := range judged(p, tape).Checks {
		verdicts[c.Name] = c.Verdict
	}
	if verdicts["connects_failed"] != Pass || verdicts["unanswered"] != Fail {
		t.Errorf("a session was not established: %v", verdicts)
	}

	now := NewState(p, plan.Sim)
	for _, e := range *tape {
		now.Apply(&e)
	}
	if failed, _ := measures["connects_failed"].now(now, ""); failed != 0 {
		t.Errorf("%v connects failed at the moment, want none", failed)
	}
	tape.traffic(3000, "new", "client1/2", trace.TrafficFailed, "refused")
	if v := judged(p, tape); v.Verdict != Fail {
		t.Errorf("a connect was refused:\n%s", show(v))
	}
}

// A datagram without an echo is counted although it makes no gap.
func TestDatagramsWithoutEchoAreCounted(t *testing.T) {
	p := scenario(t, "traffic ping probe udp\nalways unechoed(ping) <= 2", "", "")
	for received, want := range map[uint64]Outcome{10: Pass, 9: Pass, 7: Pass, 6: Fail} {
		tape := crash()
		tape.totals(6012, trace.Totals{Name: "ping", Kind: plan.Probe, Proto: "udp", Final: true, Opened: 1, Sent: 9, Received: received})
		if v := judged(p, tape); v.Verdict != want {
			t.Errorf("%d of 9 had an echo, want %s:\n%s", received, want, show(v))
		}
	}
}

// A window in which a line did not run has no gap measurement: a PASS would claim that it had no gap.
func TestAGapIsMeasuredOnlyWhileTheLineRuns(t *testing.T) {
	p := scenario(t, "traffic late sessions from=3s until=3500ms", "expect gap(late) < 300ms", "")
	for name, c := range map[string]struct {
		ended float64 // ms; the crash is at 2 s
		want  Outcome
	}{"runs": {2500, Pass}, "has ended": {1900, Inconclusive}} {
		tape := crash()
		tape.totals(6012, trace.Totals{Name: "late", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 9, Sent: 9, Received: 9,
			Began: ms(1500), Ended: ms(c.ended)})
		if v := judged(p, tape); v.Verdict != c.want {
			t.Errorf("the line %s: %s", name, show(v))
		}
	}
}

// TestImplicitClaimsAreJudgedUnlessStated: the implicit claims are judged unless the scenario states them
// itself in this world.
func TestImplicitClaimsAreJudgedUnlessStated(t *testing.T) {
	for _, test := range []struct{ lines, metric string }{
		{"", "corrupt"}, {"[sim] always corrupt == 0", "corrupt"}, {"always corrupt == 0", "corrupt"},
		{"", "unanswered"}, {"[sim] always unanswered == 0", "unanswered"}, {"always unanswered == 0", "unanswered"},
	} {
		tape := crash()
		total := trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 2, Sent: 100, Received: 100}
		if test.metric == "corrupt" {
			total.Corrupt = 1
		} else {
			total.Failed = 1
		}
		tape.totals(6012, total)
		v := judged(scenario(t, test.lines, "", ""), tape)
		failed := 0
		for _, c := range v.Checks {
			if c.Name == test.metric && c.Verdict == Fail {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("%q: %s failed %d times, want once\n%s", test.lines, test.metric, failed, show(v))
		}
	}
}

// TestEachMetricHasItsTotal: the losses of a transfer are those of its line.
func TestEachMetricHasItsTotal(t *testing.T) {
	totals := trace.Totals{Lost: 1, Corrupt: 2, Moved: 3, Failed: 4}
	for metric, want := range map[string]int{"lost": 1, "incomplete": 1, "corrupt": 2, "moved": 3, "connects_failed": 4} {
		if got := totalOf(metric, totals); got != want {
			t.Errorf("%s is %d, want %d", metric, got, want)
		}
	}
}
