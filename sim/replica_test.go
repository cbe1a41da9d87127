package sim

import (
	"strings"
	"testing"

	"baton/impl/flow"
	"baton/impl/trace"
	"baton/scenarios/lab"
)

// TestAReplicaIsLookedAt: what a BACKUP's dataplane lacks or holds too much is told at
// the end of a run, whatever the nodes say of it.
func TestAReplicaIsLookedAt(t *testing.T) {
	leak := func(spoil func(p *process, held []flow.Tuple)) string {
		o := settled(t)
		backup := o.processes[1-o.processOf(o.master()).index]
		var held []flow.Tuple
		_ = backup.tunnel.Dump(func(e flow.Entry) bool {
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
	lacking := leak(func(p *process, held []flow.Tuple) { _ = p.tunnel.Delete(held) })
	if !strings.Contains(lacking, "lacks") || strings.Contains(lacking, "lacks 0") {
		t.Errorf("an empty one: %q", lacking)
	}
	excess := leak(func(p *process, held []flow.Tuple) {
		extra := flow.Entry{Original: held[0], State: flow.Assured}
		extra.Original.SrcPort, extra.Original.Proto = 7, flow.UDP
		extra.Reply = flow.Tuple{Src: flow.IPv4(198, 18, 1, 11), Dst: snatVIP[lab.IPv4], SrcPort: 80, DstPort: 7, Proto: flow.UDP}
		if err := p.tunnel.Apply([]flow.Entry{extra}); err != nil {
			t.Fatal(err)
		}
	})
	if !strings.Contains(excess, "lacks 0 and holds 1 ") {
		t.Errorf("one of too much: %q", excess)
	}
}
