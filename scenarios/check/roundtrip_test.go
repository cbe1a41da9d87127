package check

import (
	"testing"

	"baton/impl/trace"
	"baton/scenarios/plan"
)

// The round trips of a run are those of its slowest line, or of the named line.
func TestRoundTripsAreOfTheSlowestLine(t *testing.T) {
	tape := crash()
	tape.totals(6012, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 2, Sent: 9, Received: 9, RTTp50: 0.2, RTTp99: 3, RTTMax: 205})
	tape.totals(6012, trace.Totals{Name: "probe", Kind: plan.Probe, Proto: "udp", Final: true, Opened: 1, Sent: 9, Received: 9, RTTp50: 0.1, RTTp99: 7, RTTMax: 9})
	for claim, want := range map[string]Outcome{
		"rtt_p50_ms < 0.3ms":       Pass,
		"rtt_p99_ms < 7.1ms":       Pass,
		"rtt_p99_ms < 7ms":         Fail,
		"rtt_p99_ms(web) < 3.1ms":  Pass,
		"rtt_p99_ms(web) < 3ms":    Fail,
		"rtt_max_ms <= 205ms":      Pass,
		"rtt_max_ms < 205ms":       Fail,
		"rtt_max_ms(probe) < 10ms": Pass,
	} {
		if v := judged(scenario(t, "always "+claim, "", ""), tape); v.Verdict != want {
			t.Errorf("%s: want %s\n%s", claim, want, show(v))
		}
	}
}

// Totals that are not final, or of a line without answers, have no round trip.
func TestNoRoundTripWithoutAnAnswer(t *testing.T) {
	tape := crash()
	tape.totals(6012, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Final: true, Opened: 2, Sent: 9})
	if v := judged(scenario(t, "always rtt_p99_ms(web) < 3ms", "", ""), tape); v.Verdict == Pass {
		t.Errorf("a pass without an answer:\n%s", show(v))
	}
	tape = crash()
	tape.without(func(e trace.Event) bool { return e.Totals != nil && e.Totals.Name == "web" })
	tape.totals(5900, trace.Totals{Name: "web", Kind: plan.Sessions, Proto: "tcp", Opened: 2, Sent: 9, Received: 9, RTTp99: 2, RTTMax: 2})
	v := judged(scenario(t, "always rtt_p99_ms(web) < 3ms", "", ""), tape)
	if _, measured := v.Metrics["rtt_p99_ms"]; measured {
		t.Errorf("a round trip of totals that are not final: %v", v.Metrics)
	}
	for _, c := range v.Checks {
		if c.Name == "rtt" && c.Verdict == Pass {
			t.Errorf("a pass of totals that are not final:\n%s", show(v))
		}
	}
}
