package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// gateSet is the state of all gates as they were judged last.
type gateSet struct {
	open    ha.Gates
	why     [ha.GateCount]why
	since   [ha.GateCount]clock.Instant // when each opened or closed last
	judged  bool                        // once at least
	refused ha.Gates                    // the gate that refused last, so that a refusal is told once
}

func (g *gateSet) fingerprint(h *fingerprint.Hash) {
	h.Number(uint64(g.open))
	h.Flag(g.judged)
	h.Number(uint64(g.refused))
}

// judge judges every gate by the view of an instant and returns those to tell of: that
// opened, that closed, or that are closed for another reason.
func (g *gateSet) judge(now clock.Instant, v *view) (news ha.Gates) {
	open := ha.Gates(0)
	for i := range gateTable {
		row := &gateTable[i]
		is, why := row.judge(v)
		open = open.With(row.gate, is)
		changed := is != g.open.Has(row.gate)
		if changed || !g.judged {
			g.since[row.gate.Index()] = now
		}
		news = news.With(row.gate, changed || !is && !why.like(g.why[i]))
		g.why[i] = why
	}
	if !g.judged {
		news = ha.AllGates
	}
	g.open, g.judged = open, true
	return news
}

// reason says why a gate is as it is.
func (g *gateSet) reason(gate ha.Gates) string { return g.why[gate.Index()].String() }

// updateGates judges every gate by a view that is not the last one, traces what is new of
// them, and raises GatesChanged if any opened or closed.
func (n *Node) updateGates(h *hearing) {
	v := n.look(h)
	n.checkAwaited(&v)
	if n.gates.judged && v == n.view {
		return
	}
	n.view = v
	before := n.gates.open
	for gate := range n.gates.judge(n.now, &n.view).Each() {
		n.traceGate(gate, n.gates.open.Has(gate), n.gates.reason(gate))
	}
	if n.gates.open != before {
		n.raise(ha.GatesChanged)
	}
}
