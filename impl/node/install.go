package node

import (
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// strayRetry is how long after a failed drain the dataplane is drained again.
const strayRetry = 10 * time.Millisecond

// installation is the first part of a claim: the last received changes are applied.
//
// A node that claims soon after it has lost the role still learns of flows that its programs
// changed before their lease ended. The sync engine writes such strays back, since a batch may
// have overwritten them. A write that is applied after a later packet of its flow would undo that
// packet, and once the node leads, nothing would correct it. So the claim waits for these writes
// and drains the dataplane, until a drain brings no stray.
type installation struct {
	active bool
	quiet  clock.Instant // until then the peer is not told: this node listens after a long pause
	from   clock.Instant // earliest end, because the peer is told first
	by     clock.Instant

	strayed  bool          // strays have come since the last drain
	draining bool          // a drain has not been answered
	retry    clock.Instant // when to drain again after a failure
}

func (i *installation) fingerprint(h *fingerprint.Hash) {
	h.Flag(i.active)
	h.Instant(i.quiet)
	h.Instant(i.from)
	h.Instant(i.by)
	h.Flag(i.strayed)
	h.Flag(i.draining)
	h.Instant(i.retry)
}

func (i *installation) begin(now clock.Instant, notice time.Duration) {
	*i = installation{active: true, from: now.Add(notice), by: now.Add(installLimit), strayed: i.strayed}
}

func (i *installation) end() { *i = installation{} }

// resume delays a claim that a pause has interrupted. Another node may have claimed meanwhile.
func (i *installation) resume(quiet, from clock.Instant) {
	if i.active {
		i.quiet, i.from, i.by = max(i.quiet, quiet), max(i.from, from), max(i.by, from)
	}
}

// done reports whether the claim may continue, and whether it continues without all entries
// because installLimit has passed. A dataplane that keeps refusing some entries must not stop
// the node from serving the others.
func (i *installation) done(now clock.Instant, outstanding int) (done, late bool) {
	settled := outstanding == 0 && !i.strayed && !i.draining
	late = !settled && now >= i.by
	return i.active && now >= i.from && (settled || late), late
}

// wantsDrain reports whether the strays were written back, and more may wait in the dataplane.
func (i *installation) wantsDrain(now clock.Instant, outstanding int) bool {
	return i.active && i.strayed && !i.draining && outstanding == 0 && now >= i.retry
}

// deadline returns when a claim next needs a Timer.
func (i *installation) deadline(now clock.Instant) clock.Instant {
	switch {
	case !i.active:
		return clock.Never
	case now < i.quiet:
		return i.quiet
	case now < i.from:
		return i.from
	case now < i.retry:
		return min(i.retry, i.by)
	}
	return i.by
}

// drainStrays asks for the events that the dataplane has not told yet.
func (n *Node) drainStrays() {
	if n.install.wantsDrain(n.now, n.sync.Pending()) {
		n.install.strayed, n.install.draining = false, true
		n.emit(Drain{ID: n.nextID(pending{kind: pendingInstall})})
	}
}

// straysDrained takes the answer. The events have come before it.
func (n *Node) straysDrained(failure string) {
	n.install.draining = false
	if failure != "" {
		n.install.strayed, n.install.retry = true, n.now.Add(strayRetry)
	}
}

// checkInstalled raises Installed once a claiming node has no outstanding changes.
func (n *Node) checkInstalled() {
	n.drainStrays()
	done, late := n.install.done(n.now, n.sync.Pending())
	if !done {
		return
	}
	if late {
		n.traceNote("claims without all entries: the dataplane did not take them in time")
	}
	n.install.end()
	n.raise(ha.Installed)
}
