package node

import (
	"fmt"
	"slices"

	"baton/impl/fingerprint"
	"baton/impl/flow"
)

// A follower's dataplane may hold flows that its table lacks: it opened them when it served, and lost
// their events. Nobody else has them. They are handed to the sync engine as late changes, which offers
// them to the MASTER. An entry that a packet cannot use is not a flow, and is removed.

// strays are such entries. An entry with a pending deletion looks the same, so the entries are read again
// once that is applied.
type strays struct {
	found    []flow.Tuple
	queued   uint64 // the last batch queued when they were found
	examined bool   // they are being read again
}

func (s *strays) clone() strays {
	c := *s
	c.found = slices.Clone(s.found)
	return c
}

func (s *strays) fingerprint(h *fingerprint.Hash) {
	h.Int(len(s.found))
	for _, t := range s.found {
		h.Text(string(flow.AppendTuple(nil, t)))
	}
	h.Flag(s.examined)
}

// findStrays notes what a read of the dataplane has found.
func (n *Node) findStrays(tuples []flow.Tuple) {
	n.strays = strays{found: tuples, queued: n.sync.Queued()}
}

// examineStrays reads them again once the queued batches are applied.
func (n *Node) examineStrays() {
	s := &n.strays
	switch {
	case len(s.found) == 0 || s.examined:
	case n.role.Holds():
		n.strays = strays{} // a node that leads reads its dataplane anew
		n.reading.ask(n.now)
	case n.sync.Landed(s.queued):
		s.examined = true
		n.emit(Examine{ID: n.nextID(pending{kind: pendingStrays}), Tuples: s.found})
	}
}

// judgeStrays takes what the dataplane holds of them.
func (n *Node) judgeStrays(d Done) {
	n.strays = strays{}
	if d.Err != "" || n.role.Holds() {
		n.reading.ask(n.now)
		n.reading.at = max(n.reading.at, n.now.Add(rereadPause))
		return
	}
	var flows []flow.Event
	var unusable []flow.Tuple
	for i := range d.Held {
		h := &d.Held[i]
		if _, known := n.sync.Lookup(h.Original); known || !h.Found {
			continue
		}
		if h.Sound {
			flows = append(flows, flow.Event{Entry: h.Entry})
		} else {
			unusable = append(unusable, h.Original)
		}
	}
	if len(flows) > 0 {
		n.traceNote(fmt.Sprintf("dataplane read: %d flows of this node's time as MASTER were never told of", len(flows)))
		n.sync.Local(n.now, flows)
	}
	if len(unusable) > 0 {
		n.emit(Apply{ID: n.nextID(pending{kind: pendingRestore}), Deletes: unusable})
	}
}
