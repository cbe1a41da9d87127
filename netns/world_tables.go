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

// tables are the connection tables of both nodes, read where damage to clients begins, for
// the first clusters of it, or else at the end of the run. A node is asked over its control
// socket; one that cannot answer has no table, and why is noted.
type tables struct {
	mu     sync.Mutex
	onsets evidence.Onsets
	all    []*reading // by time
	read   sync.WaitGroup
}

// reading is the tables of both nodes at one moment.
type reading struct {
	began clock.Instant
	when  string // in words
	nodes map[string]*table
}

// table is what a node answered.
type table struct {
	at  clock.Instant
	why error // there is no answer
	control.Table
}

// tableLimit is how long a node may take to tell its table.
const tableLimit = 2 * time.Second

// watchDamage asks both nodes where damage begins. It does not wait for the answers.
func (w *World) watchDamage(e trace.Event) {
	w.tables.mu.Lock()
	begins := w.tables.onsets.Begins(e)
	w.tables.mu.Unlock()
	if begins {
		w.readTables("right after damage to clients began")
	}
}

// readTables asks both nodes. It does not wait for the answers.
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

// lastTables waits for the answers, and asks at the end of a run without damage.
func (w *World) lastTables() {
	w.tables.mu.Lock()
	none := len(w.tables.all) == 0
	w.tables.mu.Unlock()
	if none {
		w.readTables("the end of the run: its traffic had been closed")
	}
	w.tables.read.Wait()
}

// tablesFor are those that were read nearest to what matters most, nil if none were.
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

// askTable asks a node that is there to answer.
func (w *World) askTable(node string, limit int) (control.Table, error) {
	if gone := w.absent(node); gone != "" {
		return control.Table{}, errors.New(gone)
	}
	ctx, cancel := context.WithTimeout(context.Background(), tableLimit)
	defer cancel()
	return w.nodes.Table(ctx, node, limit)
}

// absent says why a node can answer nobody, "" if it can.
func (w *World) absent(node string) string {
	process := w.process(node)
	if process == nil {
		return node + " was never started"
	}
	last, gone := w.view.gone(node)
	select {
	case <-process.Done():
		return fmt.Sprintf("%s was not running (%s)", node, cmp.Or(last.What(), "it had ended by itself"))
	default:
	}
	if gone && !fault.Ends(last.Verb) {
		return fmt.Sprintf("%s stood still (%s)", node, last.What())
	}
	return ""
}
