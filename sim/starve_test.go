package sim

import (
	"testing"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// frozenFor measures how long a daemon is stopped within a number of seconds.
func (o *outing) frozenFor(t *testing.T, p *process, d time.Duration) time.Duration {
	t.Helper()
	const every = time.Millisecond
	frozen := time.Duration(0)
	for range d / every {
		o.pass(t, every)
		if p.frozen {
			frozen += every
		}
	}
	return frozen
}

// TestAStarvedProcessRunsForItsShareOfEachPeriod: a freeze takes precedence over it, and it ends with the daemon.
func TestAStarvedProcessRunsForItsShareOfEachPeriod(t *testing.T) {
	o := settled(t)
	p := o.processes[1]
	do := func(verb string, args ...plan.Arg) {
		t.Helper()
		if err := o.Do(t.Context(), plan.Fault{Verb: verb, Hosts: []string{p.id}, Args: args}); err != nil {
			t.Fatal(err)
		}
		o.pass(t, 100*time.Millisecond) // a thaw lets it run to the end of the period
	}
	around := func(what string, got, want time.Duration) {
		t.Helper()
		if got < want-20*time.Millisecond || got > want+20*time.Millisecond {
			t.Errorf("%s: stands still for %v of a second, want %v", what, got, want)
		}
	}
	do(fault.Starve, plan.Arg{Key: fault.KeyCPU, Value: "0.2"})
	around("on a ration", o.frozenFor(t, p, time.Second), 800*time.Millisecond)
	do(fault.Freeze)
	around("frozen", o.frozenFor(t, p, time.Second), time.Second)
	do(fault.Thaw)
	around("thawed", o.frozenFor(t, p, time.Second), 800*time.Millisecond)
	do(fault.Feed)
	around("fed", o.frozenFor(t, p, time.Second), 0)
	do(fault.Starve, plan.Arg{Key: fault.KeyCPU, Value: "0.5"})
	do(fault.Kill)
	do(fault.Restore)
	around("restored", o.frozenFor(t, p, time.Second), 0)
}

// TestASteppedClockReadsLater: by the stated amount, and on that host only.
func TestASteppedClockReadsLater(t *testing.T) {
	o := settled(t)
	before := [2]time.Duration{}
	for i, p := range o.processes {
		before[i] = time.Duration(p.clock.local(o.now))
	}
	if err := o.Do(t.Context(), plan.Fault{Verb: fault.Step, Hosts: []string{"lb2"}, Time: time.Second}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{0, time.Second} {
		if got := time.Duration(o.processes[i].clock.local(o.now)) - before[i]; got != want {
			t.Errorf("lb%d: the clock went by %v, want %v", i+1, got, want)
		}
	}
}
