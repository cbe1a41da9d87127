package sim

import (
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/trace"
	"baton/scenarios"
	"baton/scenarios/evidence"
	"baton/scenarios/plan"
)

var _ scenarios.Witness = (*World)(nil)

// tables holds copies of both nodes' connection tables. Like package netns, the world reads them
// when damage to clients begins (the first few times), or at the end of a run without damage.
type tables struct {
	onsets evidence.Onsets
	all    []reading // by time
}

// reading is a copy of both nodes' tables at one instant.
type reading struct {
	at    clock.Instant
	when  string
	nodes [2][]flow.Entry
	gone  [2]string // why a node has no table
}

// watchDamage copies the tables if the event begins damage to clients.
func (w *World) watchDamage(e trace.Event) {
	if w.cfg.Evidence && w.tables.onsets.Begins(e) {
		w.readTables("where damage to clients begins")
	}
}

// readTables copies the tables of both nodes.
func (w *World) readTables(when string) {
	r := reading{at: w.now, when: when}
	for i, p := range w.processes {
		if p.dataplane == nil {
			r.gone[i] = p.id + " was not running"
			continue
		}
		_ = p.dataplane.Dump(func(e flow.Entry) bool { // the model's cannot fail
			r.nodes[i] = append(r.nodes[i], e)
			return true
		})
	}
	w.tables.all = append(w.tables.all, r)
}

// lastTables copies the tables at the end of a run without damage.
func (w *World) lastTables() {
	if w.cfg.Evidence && len(w.tables.all) == 0 {
		w.readTables("the end of the run, after its traffic was closed")
	}
}

// Evidence implements scenarios.Witness. The simulator has no frames to capture and no process
// logs; a run is reproduced from its seed.
func (w *World) Evidence(store *evidence.Store, ask evidence.Ask) error {
	for _, link := range w.plan.CaptureLinks(plan.Sim) {
		store.Lack(evidence.Missing{Kind: evidence.Capture, Edge: link, Why: "the simulator has no frames to capture; the trace has every RST"})
	}
	for i, p := range w.processes {
		store.Lack(evidence.Missing{Kind: evidence.Log, Node: p.id, Why: "the simulator's nodes write no logs; the trace has their events"})
		if err := w.putTable(store, ask, i); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) putTable(store *evidence.Store, ask evidence.Ask, i int) error {
	node := w.processes[i].id
	if len(w.tables.all) == 0 {
		store.Lack(evidence.Missing{Kind: evidence.Table, Node: node, Why: "the run ended before it was read"})
		return nil
	}
	began := make([]clock.Instant, len(w.tables.all))
	for i, r := range w.tables.all {
		began[i] = r.at
	}
	r := w.tables.all[ask.Nearest(began)]
	if r.gone[i] != "" {
		store.Lack(evidence.Missing{Kind: evidence.Table, Node: node, Why: r.gone[i]})
		return nil
	}
	share, _, _ := evidence.Shares(ask.Limit, 1)
	entries := r.nodes[i]
	c := evidence.Connections{Node: node, At: r.at, When: r.when, Total: len(entries)}
	for _, e := range entries[:min(len(entries), int(share/evidence.FlowBytes))] {
		c.Flows = append(c.Flows, evidence.Flow{Original: e.Original.String(), Reply: e.Reply.String(),
			State: e.State.String(), Origin: e.Origin.String(), Remaining: e.Remaining})
	}
	return store.PutTable(c, ask)
}
