package node

import (
	"baton/impl/flow"
	"baton/impl/ha"
)

// A MASTER that lost flow events reads its dataplane anew and tells its peer what it
// finds. If its turn ends before that, the flows that nobody counted lie in its
// dataplane, where a follower expires nothing: once it is in sync it removes them.

// noteStrays notes that there may be such flows.
func (n *Node) noteStrays() { n.strays = true }

// prune asks for the dump in which strays are found.
func (n *Node) prune() {
	if n.strays && !n.dumping && n.role == ha.Backup && n.gates.open.Has(ha.InSync) && n.sync.Pending() == 0 {
		n.strays, n.dumping = false, true
		n.emit(Dump{ID: n.nextID(pending{kind: pendingStrays})})
	}
}

// removeStrays deletes what the dataplane holds and the synced table does not. An
// entry that came since the dump is in the table, for it is counted before it is written.
func (n *Node) removeStrays(entries []flow.Entry) {
	n.dumping = false
	switch {
	case n.role.Holds():
		n.dump()
		return
	case n.role != ha.Backup || !n.gates.open.Has(ha.InSync):
		n.noteStrays()
		return
	}
	var strays []flow.Tuple
	for i := range entries {
		if _, known := n.sync.Lookup(entries[i].Original); !known {
			strays = append(strays, entries[i].Original)
		}
	}
	if len(strays) > 0 {
		n.emit(Apply{ID: n.nextID(pending{kind: pendingRemoval}), Deletes: strays})
	}
}
