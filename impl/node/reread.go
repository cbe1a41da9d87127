package node

import (
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// A dataplane that lost flow events is read anew. A MASTER tells its peer what it finds
// there. A follower opens no flows and expires none: what its dataplane holds and the
// synced table does not was opened in a turn that ended before it was told of, and is
// removed; what it holds otherwise than the table, or lacks, changed or expired in such a
// turn, and is written anew. While the role changes hands neither would be right, and the reading waits.
// A reading that failed has found nothing: it changes nothing and is repeated.

// reading is the state of that.
type reading struct {
	due     bool // the dataplane may hold flows that nobody has counted
	running bool
	since   clock.Instant // what has not been read is no older than this
	at      clock.Instant // no earlier than this
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

// readStats are the reads of the dataplane that failed.
type readStats struct {
	failed uint64
	why    string // the last of them did
}

// ask notes that the dataplane has to be read.
func (r *reading) ask(now clock.Instant) {
	if r.done() {
		r.since = now
	}
	r.due = true
}

// overdueAt is from when on the dataplane has not been read for too long, Never where it
// has been.
func (r *reading) overdueAt() clock.Instant {
	if r.done() {
		return clock.Never
	}
	return r.since.Add(staleAfter)
}

// begin notes that a reading is under way.
func (r *reading) begin() { r.due, r.running = false, true }

// end notes that the reading has ended, and whether another must follow in its place.
func (r *reading) end(now clock.Instant, again bool) {
	if r.due, r.running = r.due || again, false; !again {
		r.since = now
	}
}

// done reports whether everything in the dataplane has been counted.
func (r *reading) done() bool { return !r.due && !r.running }

// wants reports whether a reading may begin.
func (r *reading) wants(now clock.Instant) bool { return r.due && !r.running && now >= r.at }

// fail counts a failed read and returns how long to wait before the next.
func (r *reading) fail(why string) time.Duration {
	pause := min(readRetry<<min(r.streak, 16), rereadPause)
	r.streak++
	r.stats = readStats{r.stats.failed + 1, why}
	return pause
}

// retry ends a reading that failed, to be repeated.
func (r *reading) retry(now clock.Instant, why string) {
	r.end(now, true)
	r.at = now.Add(r.fail(why))
}

// wait returns when a reading that waits needs a Timer.
func (r *reading) wait(now clock.Instant) clock.Instant {
	if r.due && r.at > now {
		return r.at
	}
	return clock.Never
}

// lost notes that flow events were lost.
func (n *Node) lost() { n.reading.ask(n.now) }

// unread reports whether this node leads, and its dataplane has held flows for too long
// that it may not have told its peer of; or gives its table, and there may be such flows.
func (n *Node) unread() bool {
	return n.leads() && n.now >= n.reading.overdueAt() || n.giving.on && !n.reading.done()
}

// reread begins to read the dataplane, where that is wanted and can be acted upon.
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
	case n.follows() && n.sync.Pending() == 0:
		n.reading.begin()
		n.emit(Dump{ID: n.nextID(pending{kind: pendingHeld})})
	}
}

// leads reports whether the node is the source of what is replicated.
func (n *Node) leads() bool { return n.role == ha.Master || n.role == ha.Yielding }

// follows reports whether the node holds what a MASTER has told it.
func (n *Node) follows() bool { return n.role == ha.Backup && n.gates.open.Has(ha.InSync) }

// dumpDrained asks for the dump once every event from before it has been stepped:
// what changes from here on, its own events will tell.
func (n *Node) dumpDrained(failure string) {
	if failure != "" {
		n.readFailed(failure)
		return
	}
	n.sync.DumpAsked(n.now)
	n.emit(Dump{ID: n.nextID(pending{kind: pendingDump})})
}

// readFailed has a reading repeated.
func (n *Node) readFailed(why string) {
	n.reading.retry(n.now, why)
	n.traceNote("dataplane not read: " + why)
}

// reconcile takes the dump of a node that led when it was asked for.
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

// takeAdopted takes the dump of an adopted table. What has changed since it was asked for
// came from the peer.
func (n *Node) takeAdopted(d Done) {
	switch {
	case d.Err != "":
		n.sync.DropDump()
		n.readFailed(d.Err)
	case !n.adoption.unread: // too late: the role that was taken meanwhile reads it anew
		n.sync.DropDump()
		n.reading.end(n.now, true)
	default:
		n.reading.end(n.now, false)
		n.reading.streak = 0
		n.adoption.entries = len(d.Entries)
		n.sync.Reconcile(n.now, d.Entries)
	}
}

// stopReconciling leaves to the readings of a follower what was not worked in yet.
func (n *Node) stopReconciling() {
	if n.sync.Reconciling() {
		n.sync.DropDump()
		n.reading.ask(n.now)
	}
}

// restore takes the dump of a node that followed when it was asked for, and makes the
// dataplane hold what the table does.
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
	if write, strays := n.sync.Differences(d.Entries); len(strays)+len(write) > 0 {
		n.emit(Apply{ID: n.nextID(pending{kind: pendingRestore}), Entries: write, Deletes: strays})
	}
}

// restored takes the answer to that. What was refused is tried again, but not at once:
// it is in nobody's way.
func (n *Node) restored(failure string) {
	if failure != "" {
		n.reading.ask(n.now)
		n.reading.at = n.now.Add(rereadPause)
	}
}
