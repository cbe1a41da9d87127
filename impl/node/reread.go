package node

import (
	"baton/impl/clock"
	"baton/impl/flow"
	"baton/impl/ha"
)

// A dataplane that lost flow events is read anew. A MASTER tells its peer what it finds
// there. A follower opens no flows and expires none: what its dataplane holds and the
// synced table does not was opened in a turn that ended before it was told of, and is
// removed. While the role changes hands neither would be right, and the reading waits.

// lost notes that flow events were lost.
func (n *Node) lost() { n.unread = true }

// reread begins to read the dataplane, where that is wanted and can be acted upon.
func (n *Node) reread() {
	switch {
	case !n.unread || n.dumping || n.now < n.rereadAt:
	case n.leads():
		n.unread, n.dumping = false, true
		n.emit(Drain{ID: n.nextID(pending{kind: pendingDumpDrain})})
	case n.follows() && n.sync.Pending() == 0:
		n.unread, n.dumping = false, true
		n.emit(Dump{ID: n.nextID(pending{kind: pendingStrays})})
	}
}

// leads reports whether the node is the source of what is replicated.
func (n *Node) leads() bool { return n.role == ha.Master || n.role == ha.Yielding }

// follows reports whether the node holds what a MASTER has told it.
func (n *Node) follows() bool { return n.role == ha.Backup && n.gates.open.Has(ha.InSync) }

// dumpDrained asks for the dump once every event from before it has been stepped:
// what changes from here on, its own events will tell.
func (n *Node) dumpDrained() {
	n.sync.DumpAsked(n.now)
	n.emit(Dump{ID: n.nextID(pending{kind: pendingDump})})
}

// reconcile takes the dump of a node that led when it was asked for.
func (n *Node) reconcile(entries []flow.Entry) {
	n.dumping = false
	if !n.leads() {
		n.unread = true
		return
	}
	n.sync.Reconcile(n.now, entries)
}

// removeStrays takes the dump of a node that followed when it was asked for. An entry
// that came since is in the table, for it is counted before it is written.
func (n *Node) removeStrays(entries []flow.Entry) {
	n.dumping = false
	if !n.follows() {
		n.unread = true
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

// removed takes the answer to the removal of strays. One that was refused is tried
// again, but not at once: strays are in nobody's way.
func (n *Node) removed(failure string) {
	if failure != "" {
		n.unread, n.rereadAt = true, n.now.Add(rereadPause)
	}
}

// rereadWait returns when a reading that waits needs a Timer.
func (n *Node) rereadWait() clock.Instant {
	if n.unread && n.rereadAt > n.now {
		return n.rereadAt
	}
	return clock.Never
}
