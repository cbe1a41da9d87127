package node

import (
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/flow"
	"baton/impl/ha"
)

// A process may adopt the table of the process before it. The node is not ready until it has
// read that table. The table has no position in any journal, so the MASTER sends its whole
// table, and the node removes the entries that the MASTER lacks.

// adoption is the state of an adopted table.
type adoption struct {
	// held: the table is still the adopted one. This node has not led with it and has not
	// made it equal to a MASTER's table.
	held   bool
	unread bool          // it has not been read yet
	by     clock.Instant // when the node stops waiting for the read

	taken   *flow.Pedigree // the pedigree of the adopted table; nil without one
	entries int            // how many entries were read from it
}

func (a *adoption) fingerprint(h *fingerprint.Hash) {
	h.Flag(a.held)
	h.Flag(a.unread)
	h.Instant(a.by)
}

// adoptLimit is how long a node waits for the read of its adopted table. Reading a million
// flows takes half as long.
const adoptLimit = 3 * time.Second

// gate returns the dataplane state for the gate DataplaneReady: not ready while the table is
// unread.
func (a *adoption) gate(d Dataplane) Dataplane {
	if d.Ready && a.unread {
		return Dataplane{Why: "the adopted table has not been read yet"}
	}
	return d
}

// deadline returns when an adoption next needs a Timer.
func (a *adoption) deadline() clock.Instant {
	if a.unread {
		return a.by
	}
	return clock.Never
}

// adopt starts with the table of an earlier process. It traces the end of that process's
// lease.
func (n *Node) adopt(p flow.Pedigree) {
	n.adoption = adoption{held: true, unread: true, by: n.now.Add(adoptLimit), taken: &p}
	n.epoch, n.witnessed, n.seen = p.Epoch, p.Witnessed, max(p.Seen, p.Epoch)
	n.complete, n.led = p.Whole, p.Whole
	n.freshUntil = p.Ended.Add(ownTableLife)
	n.kept = n.pedigree()
	n.reading.ask(n.now)
	n.releaseLease()
	n.traceNote("adopts the table of the process before: " + describePedigree(p))
}

func describePedigree(p flow.Pedigree) string {
	if p.Whole {
		return "that of a MASTER"
	}
	return "a copy, which the MASTER may have outrun"
}

// checkAdopted ends the wait once the adopted table has been read, or adoptLimit has passed.
func (n *Node) checkAdopted() {
	switch a := &n.adoption; {
	case !a.unread:
	case n.reading.done() && !n.sync.Reconciling():
		a.unread = false
		n.flows = uint32(n.sync.Len())
	case n.now >= a.by:
		a.unread, n.complete = false, false
		n.traceNote("goes on without having read the adopted table")
	}
}

// status describes the adopted table; nil if none was adopted.
func (a *adoption) status() *AdoptedStatus {
	if a.taken == nil {
		return nil
	}
	return &AdoptedStatus{Epoch: a.taken.Epoch, Whole: a.taken.Whole, Read: !a.unread, Entries: a.entries}
}

// outlived reports whether the peer has led since the adopted table was left, with a table
// that contains everything in it.
func (n *Node) outlived() bool {
	theirs := n.peer.state.Rank
	return n.adoption.held && n.live() && theirs.Complete && theirs.Epoch > n.epoch && theirs.Witnessed >= n.witnessed
}

// pedigree is what the dataplane stores about the table, for a process that adopts it. A
// claim under way does not change it yet.
func (n *Node) pedigree() flow.Pedigree {
	p := flow.Pedigree{Epoch: n.epoch, Witnessed: n.witnessed, Seen: n.seen, Whole: n.complete && n.led}
	if n.role == ha.Claiming {
		p.Epoch, p.Whole = n.standing.epoch, n.standing.complete && n.led
	}
	return p
}

// keep stores the pedigree if it has changed.
func (n *Node) keep() {
	if p := n.pedigree(); p != n.kept {
		n.kept = p
		n.emit(Keep{p})
	}
}
