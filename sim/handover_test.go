package sim

import (
	"strings"
	"testing"

	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// TestARefusedHandoverIsAnswered: the receipt is the node's answer, yes or no, after
// the request's way there and back.
func TestARefusedHandoverIsAnswered(t *testing.T) {
	o := settled(t)
	master := o.master()
	peer := lab.Nodes()[1-o.processOf(master).index]
	ask := func(node string) trace.Fault {
		t.Helper()
		began := o.now
		if err := o.Do(t.Context(), plan.Fault{Verb: fault.Handover, Hosts: []string{node}}); err != nil {
			t.Fatal(err)
		}
		if took := o.now.Sub(began); took != 0 {
			t.Errorf("the timeline stood still for %v", took)
		}
		if err := o.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := o.now.Sub(began); took != 2*controlDelay {
			t.Errorf("the answer took %v", took)
		}
		for i := len(o.events) - 1; ; i-- {
			if f := o.events[i].Fault; f != nil {
				return *f
			}
		}
	}
	if f := ask(peer); f.Phase != "receipt" || !strings.Contains(f.Receipt, "only a MASTER can hand over") {
		t.Errorf("the BACKUP: %+v", f)
	}
	if err := o.Do(t.Context(), plan.Fault{Verb: fault.Kill, Hosts: []string{peer}}); err != nil {
		t.Fatal(err)
	}
	if f := ask(master); f.Phase != "receipt" || !strings.Contains(f.Receipt, master+" refused: handover refused: PeerReady") || o.master() != master {
		t.Errorf("the MASTER without a peer: %+v", f)
	}
	if err := o.Do(t.Context(), plan.Fault{Verb: fault.Restore, Hosts: []string{peer}}); err != nil {
		t.Fatal(err)
	}
	o.pass(t, 5e9)
	if f := ask(master); f.Receipt != master+" took the request" || o.master() != peer {
		t.Errorf("the MASTER with a peer: %+v, %s is Master", f, o.master())
	}
	if f := ask(peer); f.Receipt != peer+" took the request" { // nothing is left of the refusal before
		t.Errorf("back: %+v", f)
	}
}
