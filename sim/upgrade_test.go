package sim

import (
	"slices"
	"testing"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// TestAnUpgradeIsAStopAndAStart: the new daemon offers the stated version; a MASTER hands its role
// over before it stops.
func TestAnUpgradeIsAStopAndAStart(t *testing.T) {
	o := settled(t)
	p := o.processOf(o.master())
	life, began := p.life, len(o.events)
	o.do(t, plan.Fault{Verb: fault.Upgrade, Hosts: []string{p.id}, Args: []plan.Arg{{Key: fault.KeyVersion, Value: "1"}}})
	o.pass(t, time.Second)
	if p.life == life || p.life == 0 || p.speaks != 1 || o.master() == p.id {
		t.Errorf("life %d after %d speaks version %d, and %s is MASTER", p.life, life, p.speaks, o.master())
	}
	var phases []string
	for _, e := range o.events[began:] {
		if e.Fault != nil {
			phases = append(phases, e.Fault.Verb+" "+e.Fault.Phase)
		}
	}
	want := []string{"upgrade begin", "stop begin", "stop receipt", "restore begin", "restore receipt", "upgrade receipt"}
	if !slices.Equal(phases, want) {
		t.Errorf("%q, want %q", phases, want)
	}
	o.do(t, plan.Fault{Verb: fault.Kill, Hosts: []string{p.id}})
	o.do(t, plan.Fault{Verb: fault.Restore, Hosts: []string{p.id}})
	if p.speaks != 1 {
		t.Error("the version does not outlast the next start")
	}
}
