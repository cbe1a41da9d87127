package sim

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane/faulty"
	"baton/impl/flow"
	"baton/impl/node"
	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// TestAReplicaIsLookedAt: missing or surplus entries of a BACKUP's dataplane are recorded at the end
// of a run, whatever the nodes report.
func TestAReplicaIsLookedAt(t *testing.T) {
	leak := func(spoil func(p *process, held []flow.Tuple)) string {
		o := settled(t, unscrubbed)
		backup := o.processes[1-o.processOf(o.master()).index]
		var held []flow.Tuple
		_ = backup.dataplane.Dump(func(e flow.Entry) bool {
			held = append(held, e.Original)
			return true
		})
		spoil(backup, held)
		if err := o.StopTraffic(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := o.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, e := range o.events {
			if e.Kind == trace.KindLeak {
				return e.Leak.What
			}
		}
		return ""
	}
	if what := leak(func(*process, []flow.Tuple) {}); what != "" {
		t.Errorf("a good one: %s", what)
	}
	lacking := leak(func(p *process, held []flow.Tuple) { _ = p.dataplane.Delete(held) })
	if !strings.Contains(lacking, "lacks") || strings.Contains(lacking, "lacks 0") {
		t.Errorf("an empty one: %q", lacking)
	}
	add := func(p *process, held []flow.Tuple) {
		extra := flow.Entry{Original: held[0], State: flow.Assured}
		extra.Original.SrcPort, extra.Original.Proto = 7, flow.UDP
		extra.Reply = flow.Tuple{Src: flow.IPv4(198, 18, 1, 11), Dst: snatVIP[lab.IPv4], SrcPort: 80, DstPort: 7, Proto: flow.UDP}
		if err := p.dataplane.Apply([]flow.Entry{extra}); err != nil {
			t.Fatal(err)
		}
	}
	excess := leak(add)
	if !strings.Contains(excess, "lacks 0 of the flows of lb1 and has 1 ") {
		t.Errorf("one of too much: %q", excess)
	}
	unread := func(spoil func(*process, []flow.Tuple)) func(*process, []flow.Tuple) {
		return func(p *process, held []flow.Tuple) {
			if _, err := p.table.Break(faulty.MapUnread); err != nil {
				t.Fatal(err)
			}
			p.input(p.life, node.Lost{})
			spoil(p, held)
		}
	}
	if what := leak(unread(add)); what != "" {
		t.Errorf("one of too much in a dataplane that its node says it cannot read: %s", what)
	}
	if lacking := leak(unread(func(p *process, held []flow.Tuple) { _ = p.dataplane.Delete(held) })); !strings.Contains(lacking, "lacks") {
		t.Errorf("an empty one that its node says it cannot read: %q", lacking)
	}
}

// TestAFlowMayDifferForAWhile: each flow has its own time in which its update must arrive, however many differ before it.
func TestAFlowMayDifferForAWhile(t *testing.T) {
	table := func(ports ...uint16) map[flow.Tuple]flow.Entry {
		held := map[flow.Tuple]flow.Entry{}
		for _, port := range ports {
			e := flow.Entry{Original: flow.Tuple{SrcPort: port}, State: flow.Established}
			held[e.Original] = e
		}
		return held
	}
	closing := table(1)
	for t, e := range closing {
		e.State = flow.FinWait
		closing[t] = e
	}
	d := differences{}
	for i, look := range []struct {
		master, backup map[flow.Tuple]flow.Entry
		onlyLacking    bool
		long           int // at or before instant 1
		lacks, exceeds int
	}{
		{table(1), table(), false, 1, 1, 0},
		{table(1, 2), table(), false, 1, 1, 0},
		{table(1, 2), table(1), false, 1, 0, 0},
		{table(1, 2), table(3), true, 1, 0, 0},
		{table(1, 2), table(2, 3), false, 5, 1, 1},
		{table(1), closing, false, 6, 1, 1},
	} {
		d = d.look(clock.Instant(i+1), look.master, look.backup, look.onlyLacking)
		if lacks, exceeds := d.before(clock.Instant(look.long)); lacks != look.lacks || exceeds != look.exceeds {
			t.Errorf("look %d: lacks %d, exceeds %d, want %d and %d", i, lacks, exceeds, look.lacks, look.exceeds)
		}
	}
}

// unscrubbed turns the nodes' scrub off.
func unscrubbed(w *World) {
	for _, p := range w.processes {
		p.cfg.Scrub = false
	}
}

// TestDamageOfADataplaneIsHealed: on either node, while connections open and close.
func TestDamageOfADataplaneIsHealed(t *testing.T) {
	for _, ofMaster := range []bool{true, false} {
		o := settled(t)
		p := o.processOf(o.master())
		if !ofMaster {
			p = o.processOf(lab.Peer(o.master()))
		}
		o.do(t, plan.Fault{Verb: fault.Map, Way: "damaged", Hosts: []string{p.id}})
		if f := o.last(t); f.Phase != "receipt" {
			t.Fatalf("%+v", f)
		}
		o.pass(t, 12*time.Second)
		if s := p.core.Status().Scrub; s.ByKind["altered"] != 1 || s.ByKind["missing"] != 1 {
			t.Errorf("of the MASTER %v: found %+v", ofMaster, s)
		}
		held, err := p.dataplane.Examine(slices.Collect(maps.Keys(p.flows())))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range held {
			if !h.Sound {
				t.Errorf("of the MASTER %v: %s is damaged", ofMaster, h.Original)
			}
		}
		found := differences{}.look(o.now, o.processOf(o.master()).flows(), o.processOf(lab.Peer(o.master())).flows(), false)
		if len(found) > 2 { // what is on its way
			lacks, exceeds := found.before(o.now)
			t.Errorf("of the MASTER %v: the BACKUP lacks %d flows and holds %d that are not there", ofMaster, lacks, exceeds)
		}
	}
}

func TestARepairWithoutDamageIsRecorded(t *testing.T) {
	o := settled(t)
	backup := o.processOf(lab.Peer(o.master()))
	for tuple := range backup.flows() {
		_ = backup.dataplane.Delete([]flow.Tuple{tuple})
		break
	}
	o.pass(t, 12*time.Second)
	for _, e := range o.events {
		if e.Kind == trace.KindLeak && strings.Contains(e.Leak.What, "no fault had damaged") {
			return
		}
	}
	t.Error("nothing is on record")
}
