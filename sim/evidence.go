package sim

import (
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/scenarios"
	"baton/scenarios/evidence"
	"baton/scenarios/plan"
)

var _ scenarios.Witness = (*World)(nil)

// tables are the connection tables of both nodes at one moment, as package netns
// reads them: at the first damage to a client, or else at the end.
type tables struct {
	at    clock.Instant
	when  string
	nodes [2][]flow.Entry
	gone  [2]string // why a node has no table
}

// readTables copies the tables of both nodes, unless that was done before.
func (w *World) readTables(when string) {
	if !w.cfg.Evidence || w.tables != nil {
		return
	}
	w.tables = &tables{at: w.now, when: when}
	for i, p := range w.processes {
		if p.tunnel == nil {
			w.tables.gone[i] = p.id + " was not running"
			continue
		}
		_ = p.tunnel.Dump(func(e flow.Entry) bool { // the model's cannot fail
			w.tables.nodes[i] = append(w.tables.nodes[i], e)
			return true
		})
	}
}

// Evidence implements scenarios.Witness. A model of packets has no frames, and its
// nodes are no processes; the seed brings the whole run back.
func (w *World) Evidence(store *evidence.Store, ask evidence.Ask) error {
	for _, link := range w.plan.CaptureLinks(plan.Sim) {
		store.Lack(evidence.Missing{Kind: evidence.Capture, Edge: link, Why: "the simulator's packets are no frames; the trace has every RST"})
	}
	for i, p := range w.processes {
		store.Lack(evidence.Missing{Kind: evidence.Log, Node: p.id, Why: "the simulator's nodes are no processes; the trace has what they said"})
		if err := w.putTable(store, ask, i); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) putTable(store *evidence.Store, ask evidence.Ask, i int) error {
	node := w.processes[i].id
	switch {
	case w.tables == nil:
		store.Lack(evidence.Missing{Kind: evidence.Table, Node: node, Why: "the run ended before it was read"})
		return nil
	case w.tables.gone[i] != "":
		store.Lack(evidence.Missing{Kind: evidence.Table, Node: node, Why: w.tables.gone[i]})
		return nil
	}
	share, _, _ := evidence.Shares(ask.Limit, 1)
	entries := w.tables.nodes[i]
	c := evidence.Connections{Node: node, At: w.tables.at, When: w.tables.when, Total: len(entries)}
	for _, e := range entries[:min(len(entries), int(share/evidence.FlowBytes))] {
		c.Flows = append(c.Flows, evidence.Flow{Original: e.Original.String(), Reply: e.Reply.String(),
			State: e.State.String(), Origin: e.Origin.String(), Remaining: e.Remaining})
	}
	return store.PutTable(c, ask)
}
