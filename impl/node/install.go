package node

import (
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// installation is the first part of a claim: the last received changes take hold.
type installation struct {
	active bool
	quiet  clock.Instant // until then the peer is not told: this node listens after a long pause
	from   clock.Instant // earliest end, because the peer is told first
	by     clock.Instant
}

func (i *installation) fingerprint(h *fingerprint.Hash) {
	h.Flag(i.active)
	h.Instant(i.quiet)
	h.Instant(i.from)
	h.Instant(i.by)
}

func (i *installation) begin(now clock.Instant, notice time.Duration) {
	*i = installation{active: true, from: now.Add(notice), by: now.Add(installLimit)}
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
	late = outstanding > 0 && now >= i.by
	return i.active && now >= i.from && (outstanding == 0 || late), late
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
	}
	return i.by
}

// checkInstalled raises Installed once a claiming node has no outstanding changes.
func (n *Node) checkInstalled() {
	done, late := n.install.done(n.now, n.sync.Pending())
	if n.role != ha.Claiming || !done {
		return
	}
	if late {
		n.traceNote("claims without all entries: the dataplane did not take them in time")
	}
	n.install.end()
	n.raise(ha.Installed)
}
