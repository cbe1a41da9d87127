package sim

import (
	"testing"
	"time"

	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// last is the last record of the latest fault.
func (o *outing) last(t *testing.T) trace.Fault {
	t.Helper()
	for i := len(o.events) - 1; i >= 0; i-- {
		if f := o.events[i].Fault; f != nil {
			return *f
		}
	}
	t.Fatal("no fault is on record")
	return trace.Fault{}
}

// TestABrokenDataplaneIsSeenByTheDaemon: only the daemon's writes fail. Entries that it could not
// write are missing from the table until the fault is mended. The fault fails on a node without a
// process.
func TestABrokenDataplaneIsSeenByTheDaemon(t *testing.T) {
	o := settled(t)
	backup := o.processOf(lab.Peer(o.master()))
	flows := func() int { return len(backup.dataplane.Claims()) }
	o.do(t, plan.Fault{Verb: fault.Map, Way: "error", Hosts: []string{backup.id}})
	if f := o.last(t); f.Phase != "receipt" || f.Target != "error "+backup.id {
		t.Errorf("%+v", f)
	}
	before := flows()
	o.pass(t, 2*time.Second) // connections come and go
	if flows() != before {
		t.Errorf("%d flows while no write takes hold, %d before", flows(), before)
	}
	o.do(t, plan.Fault{Verb: fault.Mend, Hosts: []string{backup.id}})
	o.pass(t, 2*time.Second)
	if flows() == before {
		t.Errorf("%d flows, as before, after the writes were mended", before)
	}
	o.do(t, plan.Fault{Verb: fault.Mend, Hosts: []string{backup.id}})
	if f := o.last(t); f.Phase != "failed" {
		t.Errorf("nothing was broken, and it was mended: %+v", f)
	}
	o.do(t, plan.Fault{Verb: fault.Kill, Hosts: []string{backup.id}})
	o.do(t, plan.Fault{Verb: fault.Events, Way: "lost", Hosts: []string{backup.id}})
	if f := o.last(t); f.Phase != "failed" {
		t.Errorf("a node without a process loses events: %+v", f)
	}
}
