package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// gateSet is the latest state of all gates.
type gateSet struct {
	open    ha.Gates
	why     [ha.GateCount]why
	since   [ha.GateCount]clock.Instant // when each opened or closed last
	judged  bool                        // judge has run at least once
	refused ha.Gates                    // the gate of the last traced refusal, so that each refusal is traced once
}

func (g *gateSet) fingerprint(h *fingerprint.Hash) {
	h.Number(uint64(g.open))
	h.Flag(g.judged)
	h.Number(uint64(g.refused))
}

// judge judges every gate by the view at now. It returns the gates to trace: those that
// opened, closed, or are closed for another reason.
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

// reason returns the reason for a gate's state.
func (g *gateSet) reason(gate ha.Gates) string { return g.why[gate.Index()].String() }

// updateGates judges every gate if the view has changed, traces the changes, and raises
// GatesChanged if any gate opened or closed.
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
