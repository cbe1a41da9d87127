package sim

import (
	"testing"
	"time"

	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// A session that closes its sending side first sends its FIN while answers are outstanding, and
// ends gracefully once they have arrived.
func TestHalfClosedSessionsReadOn(t *testing.T) {
	o := settled(t)
	web := o.lines[0]
	web.Half = true
	o.do(t, plan.Fault{Verb: fault.Freeze, Hosts: []string{"backend1", "backend2"}})
	o.pass(t, time.Second)
	if err := o.Cue(plan.Cue{Line: web.Name}); err != nil {
		t.Fatal(err)
	}
	o.pass(t, 100*time.Millisecond)
	half, all := 0, 0
	for _, g := range o.generators {
		if g.line != web {
			continue
		}
		for _, id := range g.all {
			all++
			if c := o.conns.at(id); c.phase == closing && c.closing && len(c.waits) > 0 {
				half++
			}
		}
	}
	if half == 0 || half != all {
		t.Errorf("%d of %d sessions are half-closed", half, all)
	}
	o.do(t, plan.Fault{Verb: fault.Thaw, Hosts: []string{"backend1", "backend2"}})
	o.pass(t, 2*time.Second)
	done := 0
	for _, e := range o.events {
		if e.Traffic != nil && e.Traffic.Name == web.Name && e.Traffic.Event == trace.TrafficDone {
			done++
		}
	}
	if done != all || web.totals.Lost != 0 {
		t.Errorf("%d of %d sessions ended in order, %d were lost", done, all, web.totals.Lost)
	}
}
