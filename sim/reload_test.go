package sim

import (
	"testing"
	"time"

	"baton/impl/flow"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// TestAReloadedDaemonHasItsBackendsAfterARestart: removed backends get no new flows, and a restart
// reads the changed file.
func TestAReloadedDaemonHasItsBackendsAfterARestart(t *testing.T) {
	o := settled(t)
	reload := plan.Fault{Verb: fault.Reload, Hosts: []string{"lb1", "lb2"}, Args: []plan.Arg{{Key: fault.KeyBackends, Value: "1"}}}
	if err := o.Do(t.Context(), reload); err != nil {
		t.Fatal(err)
	}
	out := o.hosts[o.firstBack+1].addrs[lab.IPv4]
	for _, p := range o.processes {
		if n := len(p.tables.Services[0].Backends); n != 1 || p.tables.Services[0].Backends[0].Addr == out {
			t.Errorf("%s has %d backends", p.id, n)
		}
	}
	opened := func(since map[flow.Tuple]bool) map[flow.Tuple]bool {
		now := map[flow.Tuple]bool{}
		_ = o.processOf(o.master()).dataplane.Dump(func(e flow.Entry) bool {
			now[e.Original] = true
			if addr, _ := e.Backend(); since != nil && !since[e.Original] && addr == out {
				t.Errorf("%v was opened to the backend that was taken out", e.Original)
			}
			return true
		})
		return now
	}
	before := opened(nil)
	o.pass(t, time.Second)
	if after := opened(before); len(after) <= len(before) {
		t.Errorf("no flow was opened after the reload: %d before, %d after", len(before), len(after))
	}
	second := o.processes[1]
	for _, verb := range []string{fault.Kill, fault.Restore} {
		if err := o.Do(t.Context(), plan.Fault{Verb: verb, Hosts: []string{second.id}}); err != nil {
			t.Fatal(err)
		}
	}
	o.pass(t, time.Second)
	if n := len(second.tables.Services[0].Backends); n != 1 {
		t.Errorf("restarted with %d backends", n)
	}
}

// TestARequestToANodeThatStartsIsNotTaken: the receipt says why, and what to write in the scenario.
func TestARequestToANodeThatStartsIsNotTaken(t *testing.T) {
	for _, verb := range []string{fault.Reload, fault.Handover} {
		o := settled(t)
		for _, verb := range []string{fault.Kill, fault.Restore, verb} {
			o.do(t, plan.Fault{Verb: verb, Hosts: []string{"lb2"}})
		}
		o.pass(t, 10*time.Millisecond)
		if got := o.last(t); got.Verb != verb || got.Receipt != "no receipt: "+fault.NotListening("lb2") {
			t.Errorf("%s: %+v", verb, got)
		}
	}
}
