package coverage

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/plan"

	"github.com/google/go-cmp/cmp"
)

// TestCellsThatARunCovers: the role is the one before the fault, and the phase follows from the
// sessions opened so far.
func TestCellsThatARunCovers(t *testing.T) {
	p, err := plan.Parse("t.scn", []byte(`scenario t
service  web tcp 198.18.0.100:80
traffic  web sessions count=2
[sim]    traffic new connects
always   masters <= 1
@1s      cut sync
@2s      crash lb1
@3s      restore lb1
@4s      kill backend1
@9s      end
`))
	if err != nil {
		t.Fatal(err)
	}
	at := clock.Instant(0)
	var events []trace.Event
	add := func(e trace.Event) { at += clock.Instant(time.Second); e.At = at; events = append(events, e) }
	role := func(node, to string) { add(trace.Event{Node: node, Kind: trace.KindRole, Role: &trace.Role{To: to}}) }
	open := func() {
		add(trace.Event{Kind: trace.KindTraffic, Traffic: &trace.Traffic{Name: "web", Event: trace.TrafficOpened}})
	}
	did := func(f trace.Fault) {
		for _, f.Phase = range []string{"begin", "receipt"} {
			now := f
			add(trace.Event{Kind: trace.KindFault, Fault: &now})
		}
	}
	role("lb1", "Master")
	role("lb2", "Backup")
	open()
	did(trace.Fault{ID: 1, Verb: fault.Cut, Directions: []trace.Direction{{Link: "sync", From: "lb1", To: "lb2"}, {Link: "clients", From: "client1", To: "lb2"}}})
	open()
	did(trace.Fault{ID: 2, Verb: fault.Crash, Hosts: []string{"lb1"}})
	role("lb2", "Master")
	did(trace.Fault{ID: 3, Verb: fault.Restore, Hosts: []string{"lb1"}})
	did(trace.Fault{ID: 4, Verb: fault.Kill, Hosts: []string{"backend1"}})

	want := []Cell{
		{"crash", "Master", Established, plan.Netns},
		{"cut via clients", "Backup", Established, plan.Netns}, {"cut via clients", "Backup", Opening, plan.Netns},
		{"cut via sync", "Backup", Established, plan.Netns}, {"cut via sync", "Backup", Opening, plan.Netns},
		{"cut via sync", "Master", Established, plan.Netns}, {"cut via sync", "Master", Opening, plan.Netns},
		{"kill", "backend", Established, plan.Netns},
		{"restore", Down, Established, plan.Netns},
	}
	got := Of(p, plan.Netns, events)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if inSim := Of(p, plan.Sim, events); !slices.Contains(inSim, Cell{"crash", "Master", Opening, plan.Sim}) {
		t.Errorf("the line of traffic that only the simulator runs is missing: %v", inSim)
	}
	for _, cell := range got {
		if !slices.Contains(Possible(plan.Netns), cell) {
			t.Errorf("%v is covered, but Possible does not list it", cell)
		}
	}
}

// TestEveryVerbIsPossible: a new verb is a hole in the suite until a scenario uses it.
func TestEveryVerbIsPossible(t *testing.T) {
	cells := Possible(plan.Sim)
	for _, v := range fault.Verbs() {
		possible := slices.ContainsFunc(cells, func(c Cell) bool { return c.Fault == v.Word || strings.HasPrefix(c.Fault, v.Word+" via ") })
		if possible != (v.As == "") {
			t.Errorf("%s: listed %v, alias of %q", v.Word, possible, v.As)
		}
	}
	if len(slices.Compact(slices.Clone(cells))) != len(cells) {
		t.Error("Possible lists a cell twice")
	}
}
