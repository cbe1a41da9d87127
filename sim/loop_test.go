package sim

import (
	"strings"
	"testing"
	"time"

	"baton/impl/node"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

func TestAPanicOrAnEndlessLoopOfTheCoreEndsTheDaemon(t *testing.T) {
	died := func(o *outing) (found []trace.Event) {
		for _, e := range o.events {
			if e.Died != nil {
				found = append(found, e)
			}
		}
		return found
	}
	for _, c := range []struct {
		name, why string
		fail      func(*outing, *process)
	}{
		{"a panic", "no such state", func(_ *outing, p *process) { p.guarded(func() { panic("no such state") }) }},
		{"no rest", "the core does not rest: 100001 steps within 1ms", func(_ *outing, p *process) {
			for range 2 * burstMax {
				if p.life != 0 {
					p.step(node.Dataplane{Ready: true})
				}
			}
		}},
		{"no role for long", "the role does not settle: 1001 changes within 1s", func(_ *outing, p *process) {
			for range 2 * rolesMax {
				if p.life != 0 {
					p.guarded(func() { (*ports)(p).Record(trace.Event{Kind: trace.KindRole, Role: &trace.Role{To: "Master"}}) })
				}
			}
		}},
		{"a busy second", "", func(o *outing, p *process) {
			for range 3 {
				for range burstMax / 2 {
					p.step(node.Dataplane{Ready: true})
				}
				o.pass(t, burstFor)
			}
		}},
	} {
		o := settled(t)
		p := o.processes[0]
		c.fail(o, p)
		o.pass(t, 10*time.Millisecond)
		found := died(o)
		if dead := c.why != ""; dead != (p.life == 0) || dead != (len(found) == 1) || dead && (found[0].Node != p.id || !strings.HasPrefix(found[0].Died.Why, c.why)) {
			t.Errorf("%s: died %v, %+v", c.name, p.life == 0, found)
		}
	}
}

// TestASweepWaitsForAFreeDaemon: a daemon whose sweep falls into a slow call or a freeze does it right afterwards, not a second
// later.
func TestASweepWaitsForAFreeDaemon(t *testing.T) {
	o := settled(t)
	p := o.processOf(o.master())
	o.do(t, plan.Fault{Verb: fault.Events, Way: "lost", Hosts: []string{p.id}})
	o.pass(t, 100*time.Millisecond)
	before := p.lost
	p.frozen = true
	p.tick()
	if p.lost != before || !p.overdue {
		t.Fatalf("a frozen daemon has swept: lost %d, overdue %v", p.lost, p.overdue)
	}
	p.frozen = false
	p.takeInbox()
	if p.lost == before || p.overdue {
		t.Errorf("lost %d, before %d, overdue %v", p.lost, before, p.overdue)
	}
}

// TestASweepWaitsForASlowCall: a daemon that reads its dataplane for events that were lost sweeps again once it has done so.
func TestASweepWaitsForASlowCall(t *testing.T) {
	o := settled(t)
	p := o.processOf(o.master())
	o.do(t, plan.Fault{Verb: fault.Events, Way: "lost", Hosts: []string{p.id}})
	o.pass(t, 100*time.Millisecond)
	o.chaos.slow, o.chaos.slowFor = 1, 50*time.Millisecond
	p.tick()
	if !p.busy() {
		t.Fatal("the daemon does not read its dataplane")
	}
	if p.tick(); !p.overdue {
		t.Error("it sweeps during the call")
	}
	for p.busy() {
		o.pass(t, time.Millisecond)
	}
	if p.overdue {
		t.Error("it has not swept since")
	}
}

// TestWhichSweepIsNoLongerDue: a daemon that ended owes none, nor does one whose entries no longer age.
func TestWhichSweepIsNoLongerDue(t *testing.T) {
	for name, stop := range map[string]func(*process){
		"ended":   (*process).end,
		"ageless": func(p *process) { (*ports)(p).Expire(false, 0) },
	} {
		o := settled(t)
		p := o.processOf(o.master())
		p.frozen = true
		p.tick()
		if stop(p); p.overdue {
			t.Errorf("%s: a sweep is due", name)
		}
	}
}
