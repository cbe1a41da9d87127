package reports

import (
	"slices"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/reports/load"
	"baton/scenarios/check"
)

// Two connects that a crash reset come first in time; the thousand that the restore reset
// come first in the answer.
func TestTheAnswerLeadsWithTheLargestClusterOfDamage(t *testing.T) {
	at := func(ms int, e trace.Event) trace.Event {
		e.At = clock.Instant(time.Duration(ms) * time.Millisecond)
		return e
	}
	fault := func(verb string) trace.Event {
		return trace.Event{Fault: &trace.Fault{Verb: verb, Target: "lb1", Phase: "begin"}}
	}
	reset := func(lb string) trace.Event {
		return trace.Event{RST: &trace.RST{Origin: "backend1", Sender: lb, LB: lb, Role: "Master", Entry: "none"}}
	}
	a := answering{metrics: check.Metrics{"rst": 12}, events: []trace.Event{
		at(2000, fault("crash")), at(2203, reset("lb2")), at(2204, reset("lb2")), at(6000, fault("restore"))}}
	for i := range 10 {
		a.events = append(a.events, at(6041+i, reset("lb1")))
	}
	claim := check.Check{Name: "rst", Detail: "rst == 0 over +0.000s..+10.000s: actual 12"}
	want := "10 of 12 RSTs (rst == 0), the first at +6.041 s, 41 ms after restore lb1: made by backend1, passed on by lb1; lb1 was Master and had no entry for the flow." +
		" 2 more, the first at +2.203 s, 203 ms after crash lb1."
	if got := a.damaged(damages[0], claim); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := a.damaged(damages[1], claim); got != "" {
		t.Errorf("without a lost session: %q", got)
	}
}

// A load that was not offered comes before anything else undecided, and blames no node.
func TestTheAnswerLeadsWithTheLoadThatWasNotOffered(t *testing.T) {
	events := []trace.Event{
		{At: 1, Kind: trace.KindMeta, Meta: &trace.Meta{}},
		{At: 2, Node: "lb1", Kind: trace.KindDied, Died: &trace.Died{Why: "signal 9"}},
		{At: 3, Kind: trace.KindStep, Step: &trace.Step{Phase: "begin"}},
	}
	v := check.Verdict{Verdict: check.Inconclusive, Checks: []check.Check{
		{Name: "gap", Verdict: check.Inconclusive, Detail: "gap(p) < 50ms over …", Failed: &check.Span{From: 3, To: 4}},
		{Name: "load", Verdict: check.Inconclusive, Detail: "the generator did not offer the load of the scenario: of 9 messages of p, 5 began more than 100ms late", Failed: &check.Span{From: 5, To: 6}},
	}}
	sentences, _ := answer(&load.Run{Events: events}, v)
	want := []string{"load: the generator did not offer the load of the scenario: of 9 messages of p, 5 began more than 100ms late.", "Not decided either: gap from +0.000 s."}
	if !slices.Equal(sentences, want) {
		t.Errorf("%q, want %q", sentences, want)
	}
}
