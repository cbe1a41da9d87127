package node

import (
	"testing"

	"baton/impl/ha"
)

// TestAGateClosedForAnotherReasonIsTold: a trace shows why a gate is closed now, not only why it
// closed.
func TestAGateClosedForAnotherReasonIsTold(t *testing.T) {
	var g gateSet
	gate := ha.LinksUp.Index()
	v := view{linkDown: "client0", cfg: &Config{}}
	g.judge(1, &v)
	if news := g.judge(2, &v); news != 0 {
		t.Errorf("%v were told again", news.Names())
	}
	v.linkDown = "backend0"
	if news := g.judge(3, &v); news != ha.LinksUp {
		t.Errorf("%v were told, want LinksUp alone", news.Names())
	}
	if why := g.reason(ha.LinksUp); why != "backend0 has no carrier" {
		t.Errorf("LinksUp is closed because %s", why)
	}
	if g.since[gate] != 1 {
		t.Errorf("LinksUp is closed since %v, want since it was judged first", g.since[gate])
	}
	v.linkDown = ""
	if news := g.judge(4, &v); news != ha.LinksUp || !g.open.Has(ha.LinksUp) {
		t.Errorf("%v were told, and %v are open", news.Names(), g.open.Names())
	}
	if g.since[gate] != 4 {
		t.Errorf("LinksUp is open since %v, want since it opened", g.since[gate])
	}
}

// Gates change often while one of them refuses a claim. Each handover that is asked for gets its answer.
func TestARefusedClaimIsTracedOnceForEachGate(t *testing.T) {
	n := fullNode(t)
	for i, c := range []struct {
		event   ha.Event
		open    ha.Gates
		refused ha.Gates
		traced  int
	}{
		{ha.GatesChanged, 0, ha.HoldDown, 0}, // a MASTER is there: nobody wants to claim
		{ha.GatesChanged, ha.NoMaster, ha.HoldDown, 1},
		{ha.GatesChanged, ha.NoMaster, ha.HoldDown, 0},
		{ha.GatesChanged, ha.NoMaster, ha.InSync, 1},
		{ha.GatesChanged, ha.NoMaster, ha.InSync, 0},
		{ha.HandoverAsked, 0, ha.PeerReady, 1},
		{ha.HandoverAsked, 0, ha.PeerReady, 1},
	} {
		n.Ready()
		n.gates.open = c.open
		n.traceRefusal(c.event, ha.Reason{Text: "refused", Refused: c.refused})
		if got := len(n.Ready()); got != c.traced {
			t.Errorf("%d: %v is refused by %v: traced %d times, want %d", i, c.event, c.refused, got, c.traced)
		}
	}
}
