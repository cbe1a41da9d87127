package sim_test

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/check"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
	"baton/sim"
)

// TestTheClockWaitsForTheFirstAnswers: at a step right after the start of the traffic every flow has
// had its first answer, as in namespaces, so the survivor has the entries of all of them.
func TestTheClockWaitsForTheFirstAnswers(t *testing.T) {
	for _, line := range []string{"flows tcp count=400", "sessions tcp count=400", "flows udp count=400"} {
		p, err := plan.Parse("open.scn", []byte("scenario open\nservice web tcp 198.18.0.100:80 mode=dnat\nservice dns udp 198.18.0.100:53\ntraffic web "+line+
			"\nalways rst == 0 ; lost == 0 ; unanswered == 0\n@0s wait lb1 is Master and lb2 insync within 5s\n@1ms crash lb1\n@5s end\n"))
		if err != nil {
			t.Fatal(err)
		}
		v, events := execute(t, p, sim.Config{Seed: 1})
		if v.Verdict != check.Pass {
			t.Errorf("%s: %s %v", line, v.Verdict, v.Reasons)
		}
		crashed := begin(events, fault.Crash)
		for _, e := range events {
			if e.Traffic != nil && e.Traffic.Event == trace.TrafficOpened && e.At > crashed {
				t.Errorf("%s: %s was open %v after the crash", line, e.Traffic.Flow, e.At.Sub(crashed))
				break
			}
		}
	}
}

// TestTheClockWaitsForThreeSecondsAtMost: established connections without an answer by then do not
// delay the start; the checks judge them.
func TestTheClockWaitsForThreeSecondsAtMost(t *testing.T) {
	p, err := plan.Parse("vain.scn", []byte("scenario vain\ntopo pair clients=1 backends=1\nservice web tcp 198.18.0.100:80\ntraffic web sessions tcp count=50"+
		"\nalways masters <= 1\n[sim] chaos backends loss=0.7\n@0s wait lb1 is Master and lb2 insync within 5s\n@1ms crash lb2\n@2s end\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, events := execute(t, p, sim.Config{Seed: 1})
	var started clock.Instant
	for _, e := range events {
		if e.Step != nil && e.Step.Text == p.Steps[0].Text && e.Step.Phase == "end" {
			started = e.At
		}
	}
	if waited := begin(events, fault.Crash).Sub(started); waited < 3*time.Second || waited > 3100*time.Millisecond {
		t.Errorf("the step came %v after the start of the traffic", waited)
	}
}

// begin is when a fault of a verb began.
func begin(events []trace.Event, verb string) clock.Instant {
	for _, e := range events {
		if e.Fault != nil && e.Fault.Verb == verb && e.Fault.Phase == "begin" {
			return e.At
		}
	}
	return clock.Never
}
