package node

import (
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// gateSet is the state of all gates as they were judged last.
type gateSet struct {
	open    ha.Gates
	why     [ha.GateCount]why
	judged  bool     // once at least
	refused ha.Gates // the gate that refused last, so that a refusal is told once
}

func (g *gateSet) fingerprint(h *fingerprint.Hash) {
	h.Number(uint64(g.open))
	h.Flag(g.judged)
	h.Number(uint64(g.refused))
}

// judge judges every gate by a view and returns those that changed.
func (g *gateSet) judge(v *view) (changed ha.Gates) {
	open := ha.Gates(0)
	for i := range gateTable {
		row := &gateTable[i]
		is, why := row.judge(v)
		open, g.why[i] = open.With(row.gate, is), why
	}
	changed = open ^ g.open
	if !g.judged {
		changed = ha.AllGates
	}
	g.open, g.judged = open, true
	return changed
}

// reason says why a gate is as it is.
func (g *gateSet) reason(gate ha.Gates) string { return g.why[gate.Index()].String() }

// updateGates judges every gate anew, traces those that changed, and raises
// GatesChanged if any did.
func (n *Node) updateGates() {
	before := n.gates.open
	for gate := range n.gates.judge(n.look()).Each() {
		n.traceGate(gate, n.gates.open.Has(gate), n.gates.reason(gate))
	}
	if n.gates.open != before {
		n.raise(ha.GatesChanged)
	}
}
