package netns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"baton/impl/clock"
	"baton/impl/daemon/control"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
	"baton/scenarios/evidence"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// tables holds the connection tables of both nodes, read over the control socket when a
// cluster of damage begins (the first few), else at the end of the run. If a node cannot
// answer, the reason is kept instead.
type tables struct {
	mu     sync.Mutex
	onsets evidence.Onsets
	all    []*reading // by time
	read   sync.WaitGroup
}

// reading holds the tables of both nodes at one moment.
type reading struct {
	began clock.Instant
	when  string // in words
	nodes map[string]*table
}

// table is what a node answered.
type table struct {
	at  clock.Instant
	why error // why there is no answer
	control.Table
}

// tableLimit bounds how long a node may take to return its table.
const tableLimit = 2 * time.Second

// watchDamage keeps the captured frames and asks for the nodes' tables when damage begins. It does
// not wait for the answers.
func (w *World) watchDamage(e trace.Event) {
	w.tables.mu.Lock()
	begins := w.tables.onsets.Begins(e)
	w.tables.mu.Unlock()
	if begins {
		w.capture.Mark(e.At)
		w.readTables("right after damage to clients began")
	}
}

// readTables asks both nodes for their tables. It does not wait for the answers.
func (w *World) readTables(when string) {
	if w.cfg.EvidenceLimit == 0 {
		return
	}
	share, _, _ := evidence.Shares(w.cfg.EvidenceLimit, 1)
	r := &reading{began: hostclock.Now(), when: when, nodes: map[string]*table{}}
	for _, node := range lab.Nodes() {
		t := &table{}
		r.nodes[node] = t
		w.tables.read.Go(func() { t.Table, t.why = w.askTable(node, int(share/evidence.FlowBytes)); t.at = hostclock.Now() })
	}
	w.tables.mu.Lock()
	w.tables.all = append(w.tables.all, r)
	w.tables.mu.Unlock()
}

// lastTables waits for the answers. Without damage it reads the tables at the end of the
// run.
func (w *World) lastTables() {
	w.tables.mu.Lock()
	none := len(w.tables.all) == 0
	w.tables.mu.Unlock()
	if none {
		w.readTables("the end of the run, after its traffic was closed")
	}
	w.tables.read.Wait()
}

// tablesFor returns the reading nearest to the most important damage, or nil.
func (w *World) tablesFor(ask evidence.Ask) *reading {
	var began []clock.Instant
	for _, r := range w.tables.all {
		began = append(began, r.began)
	}
	if len(began) == 0 {
		return nil
	}
	return w.tables.all[ask.Nearest(began)]
}

// askTable asks a running node for its table.
func (w *World) askTable(node string, limit int) (control.Table, error) {
	if gone := w.absent(node); gone != "" {
		return control.Table{}, errors.New(gone)
	}
	ctx, cancel := context.WithTimeout(context.Background(), tableLimit)
	defer cancel()
	return w.nodes.Table(ctx, node, limit)
}

// absent says why a node cannot answer; "" if it can.
func (w *World) absent(node string) string {
	process := w.process(node)
	if process == nil {
		return node + " was never started"
	}
	last, gone := w.view.gone(node)
	select {
	case <-process.Done():
		return fmt.Sprintf("%s was not running (%s)", node, cmp.Or(last.What(), "it ended unasked"))
	default:
	}
	if gone && !fault.Ends(last.Verb) {
		return fmt.Sprintf("%s was frozen (%s)", node, last.What())
	}
	return ""
}
