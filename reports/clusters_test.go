package reports

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/reports/load"
	"baton/reports/page"
)

// Damage is listed in clusters, the largest first, each with its kind and the fault before it.
func TestDamageIsListedInClusters(t *testing.T) {
	at := func(ms int, e trace.Event) trace.Event {
		e.At = clock.Instant(time.Duration(ms) * time.Millisecond)
		return e
	}
	fault := func(verb string) trace.Event {
		return trace.Event{Fault: &trace.Fault{Verb: verb, Target: "lb1", Phase: "begin"}}
	}
	reset, lost := trace.Event{RST: &trace.RST{}}, trace.Event{Traffic: &trace.Traffic{Event: trace.TrafficLost}}
	run := &load.Run{Events: []trace.Event{at(1000, trace.Event{Step: &trace.Step{Phase: "begin"}}), at(2000, reset), at(3000, fault("crash")), at(3100, reset), at(3101, reset), at(3102, lost)}}
	got := clusters(run, largestDamage(run))
	want := []page.Cluster{{From: 2_100_000, To: 2_102_000, What: "2 RSTs, 1 session lost, 100 ms after crash lb1"}, {From: 1_000_000, To: 1_000_000, What: "1 RST"}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, want %+v", got, want)
	}
}
