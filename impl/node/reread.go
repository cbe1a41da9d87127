package node

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/flow"
	"baton/impl/ha"
)

// The node reads the whole dataplane after a loss of flow events. A MASTER sends the result to its
// peer. A follower opens no flows and expires none. So an entry that only its dataplane has was opened
// in an earlier term of this node and never replicated; it is offered to the MASTER (see strays). An
// entry that differs or is missing has changed or expired in such a term; it is rewritten. While the
// role changes hands neither rule applies, so the read waits. A failed read changes nothing and is
// repeated.

// reading is the state of such a read.
type reading struct {
	due     bool // the dataplane may hold flows that the node does not know
	running bool
	since   clock.Instant // flows not yet read are no older than this
	at      clock.Instant // earliest time of the next read
	streak  int           // failures since the last success
	stats   readStats
}

func (r *reading) fingerprint(h *fingerprint.Hash) {
	h.Flag(r.due)
	h.Flag(r.running)
	h.Instant(r.since)
	h.Instant(r.at)
	h.Int(r.streak)
}

// readStats counts failed reads of the dataplane.
type readStats struct {
	failed uint64
	why    string // the last error
}

// ask requests a read of the dataplane.
func (r *reading) ask(now clock.Instant) {
	if r.done() {
		r.since = now
	}
	r.due = true
}

// overdueAt is when the read is overdue; Never if none is due.
func (r *reading) overdueAt() clock.Instant {
	if r.done() {
		return clock.Never
	}
	return r.since.Add(staleAfter)
}

// begin records the start of a read.
func (r *reading) begin() { r.due, r.running = false, true }

// end records the end of a read. again: another read must follow.
func (r *reading) end(now clock.Instant, again bool) {
	if r.due, r.running = r.due || again, false; !again {
		r.since = now
	}
}

// done reports whether the node knows everything in the dataplane.
func (r *reading) done() bool { return !r.due && !r.running }

// wants reports whether a read may start.
func (r *reading) wants(now clock.Instant) bool { return r.due && !r.running && now >= r.at }

// fail counts a failed read and returns how long to wait before the next.
func (r *reading) fail(why string) time.Duration {
	pause := min(readRetry<<min(r.streak, 16), rereadPause)
	r.streak++
	r.stats = readStats{r.stats.failed + 1, why}
	return pause
}

// retry ends a failed read and schedules another.
func (r *reading) retry(now clock.Instant, why string) {
	r.end(now, true)
	r.at = now.Add(r.fail(why))
}

// wait returns when a scheduled read needs a Timer.
func (r *reading) wait(now clock.Instant) clock.Instant {
	if r.due && r.at > now {
		return r.at
	}
	return clock.Never
}

// lost records that flow events were lost.
func (n *Node) lost() { n.reading.ask(n.now) }

// unread reports whether the peer may lack flows of this node's dataplane: on a leading node, because a
// read is overdue; on a node that gives its table, because a read is due.
func (n *Node) unread() bool {
	return n.leads() && n.now >= n.reading.overdueAt() || n.giving.on && !n.reading.done()
}

// reread starts a read of the dataplane if one is due and the node can use the result.
func (n *Node) reread() {
	switch {
	case !n.reading.wants(n.now):
	case n.adoption.unread:
		if n.dataplane.Ready {
			n.reading.begin()
			n.sync.DumpAsked(n.now)
			n.emit(Dump{ID: n.nextID(pending{kind: pendingAdopted})})
		}
	case n.leads():
		n.reading.begin()
		n.emit(Drain{ID: n.nextID(pending{kind: pendingDumpDrain})})
	case n.follows():
		n.reading.begin()
		n.emit(Dump{ID: n.nextID(pending{kind: pendingHeld})})
	}
}

// leads reports whether the node is the source of connection sync.
func (n *Node) leads() bool { return n.role == ha.Master || n.role == ha.Yielding }

// follows reports whether the node holds a MASTER's table.
func (n *Node) follows() bool { return n.role == ha.Backup && n.gates.open.Has(ha.InSync) }

// dumpDrained asks for the dump once every earlier event has been stepped. Later changes produce events
// of their own.
func (n *Node) dumpDrained(failure string) {
	if failure != "" {
		n.readFailed(failure)
		return
	}
	n.sync.DumpAsked(n.now)
	n.emit(Dump{ID: n.nextID(pending{kind: pendingDump})})
}

// readFailed schedules another read.
func (n *Node) readFailed(why string) {
	n.reading.retry(n.now, why)
	n.traceNote("dataplane not read: " + why)
}

// reconcile takes a dump that was requested while this node led.
func (n *Node) reconcile(d Done) {
	switch {
	case d.Err != "":
		n.sync.DropDump()
		n.readFailed(d.Err)
	case !n.leads():
		n.reading.end(n.now, true)
	default:
		n.reading.end(n.now, false)
		n.reading.streak = 0
		n.sync.Reconcile(n.now, d.Entries)
	}
}

// examineDoubted examines what a reading has found with another reply tuple than the mirror has:
// the flow was opened anew, or the entry is damaged.
func (n *Node) examineDoubted() {
	if tuples := n.sync.Doubted(); len(tuples) > 0 {
		n.emit(Examine{ID: n.nextID(pending{kind: pendingDoubted}), Tuples: tuples})
	}
}

// believe makes the mirror follow the consistent entries, and writes the others back from the mirror. A scrub
// would find these too, but none ends while flow events are lost again and again.
func (n *Node) believe(d Done) {
	if d.Err != "" || !n.leads() {
		n.reading.ask(n.now)
		n.reading.at = max(n.reading.at, n.now.Add(rereadPause))
		return
	}
	var sound []flow.Event
	var damaged []flow.Entry
	for i := range d.Held {
		switch h := &d.Held[i]; {
		case h.Sound:
			sound = append(sound, flow.Event{Entry: h.Entry})
		case h.Found:
			if e, known := n.sync.Lookup(h.Original); known && n.sync.MirrorSound(n.now, h.Original) {
				damaged = append(damaged, e)
			}
		}
	}
	n.sync.Local(n.now, sound)
	if len(damaged) > 0 {
		n.scrub.stats.Found[Altered] += uint64(len(damaged))
		n.traceNote(fmt.Sprintf("dataplane read: %d entries are damaged", len(damaged)))
		n.emit(Heal{ID: n.nextID(pending{kind: pendingRestore}), Entries: damaged})
	}
}

// takeAdopted takes the dump of an adopted table. A change since the request came from the peer.
func (n *Node) takeAdopted(d Done) {
	switch {
	case d.Err != "":
		n.sync.DropDump()
		n.readFailed(d.Err)
	case !n.adoption.unread: // too late: this node has taken the role and reads the table again
		n.sync.DropDump()
		n.reading.end(n.now, true)
	default:
		n.reading.end(n.now, false)
		n.reading.streak = 0
		n.adoption.entries = len(d.Entries)
		n.sync.Reconcile(n.now, d.Entries)
	}
}

// stopReconciling drops the rest of a dump; a follower reads the dataplane again.
func (n *Node) stopReconciling() {
	if n.sync.Reconciling() {
		n.sync.DropDump()
		n.reading.ask(n.now)
	}
}

// restore takes a dump that was requested while this node followed, and writes what the dataplane lacks of
// the table.
func (n *Node) restore(d Done) {
	switch {
	case d.Err != "":
		n.readFailed(d.Err)
		return
	case !n.follows():
		n.reading.end(n.now, true)
		return
	}
	n.reading.end(n.now, false)
	n.reading.streak = 0
	write, strays := n.sync.Differences(d.Entries)
	if len(write) > 0 {
		n.emit(Apply{ID: n.nextID(pending{kind: pendingRestore}), Entries: write})
	}
	n.findStrays(strays)
}

// restored takes the answer to restore's Apply. Refused entries are retried after rereadPause; they are
// not urgent.
func (n *Node) restored(failure string) {
	if failure != "" {
		n.reading.ask(n.now)
		n.reading.at = n.now.Add(rereadPause)
	}
}
