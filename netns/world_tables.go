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
	"baton/netns/internal/hostclock"
	"baton/scenarios/evidence"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// tables are the connection tables of both nodes at one moment: that of the first
// damage to a client, or else the end of the run. A node is asked over its control
// socket; one that cannot answer has no table, and why is noted.
type tables struct {
	once  sync.Once
	read  sync.WaitGroup
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

// readTables asks both nodes, unless they were asked before. It does not wait for
// the answers.
func (w *World) readTables(when string) {
	if w.cfg.EvidenceLimit == 0 {
		return
	}
	w.tables.once.Do(func() {
		share, _, _ := evidence.Shares(w.cfg.EvidenceLimit, 1)
		w.tables.when, w.tables.nodes = when, map[string]*table{}
		for _, node := range lab.Nodes() {
			t := &table{}
			w.tables.nodes[node] = t
			w.tables.read.Go(func() { t.Table, t.why = w.askTable(node, int(share/evidence.FlowBytes)); t.at = hostclock.Now() })
		}
	})
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
