package node

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// A node that cannot serve may have the only table with the clients' sessions. While nobody
// serves, it gives that table to its peer. It reports the role Yielding, like a MASTER that
// hands over: it does not forward, and the peer receives its table. The peer claims once it
// has the table, or without the table once this node stops reporting Yielding.

// giveLimit is the longest time for giving a table, counted from when both nodes knew about
// it. A million flows take a second.
const giveLimit = 2 * time.Second

// awaitLimit is how long a node waits for its peer to start giving its table.
const awaitLimit = 500 * time.Millisecond

// giving is the state of both sides.
type giving struct {
	// since is when the peer began to lack this node's table, Never while it does not.
	// awaited is when this node began to lack the peer's table.
	since, awaited clock.Instant
	on             bool // this node is giving its table
	done           bool // this node has given its table
}

func (g *giving) fingerprint(h *fingerprint.Hash) {
	h.Instant(g.since)
	h.Instant(g.awaited)
	h.Flag(g.on)
	h.Flag(g.done)
}

// wants reports whether this node should give its table.
func (g *giving) wants(now clock.Instant) bool {
	return g.since != clock.Never && now < g.since.Add(giveLimit) && !g.done
}

// awaits reports whether the peer may still start to give.
func (g *giving) awaits(now clock.Instant) bool {
	return g.awaited != clock.Never && now < g.awaited.Add(awaitLimit)
}

// deadlines returns when each of the two times out.
func (g *giving) deadlines() (wants, awaits clock.Instant) {
	return g.since.Add(giveLimit), g.awaited.Add(awaitLimit)
}

// mayGive reports whether the peer lacks this node's table and this node cannot serve with
// it.
func mayGive(v *view) bool {
	return v.live && !v.peer.Role.Holds() && !v.role.Holds() && v.role != ha.Init && !v.able && !v.leaving && v.peerLacks
}

// mayReceive reports whether this node lacks the peer's table and the peer cannot serve with
// it.
func mayReceive(v *view) bool {
	return v.live && !v.role.Holds() && !v.peer.Rank.Able && v.lacks
}

// checkAwaited updates, for the gate Degraded, whether the peer has a table to give.
func (n *Node) checkAwaited(v *view) {
	n.giving.awaited = since(n.giving.awaited, n.now, mayReceive(v))
	v.awaited = n.giving.awaits(n.now)
}

// checkGiving starts and stops giving this node's table.
func (n *Node) checkGiving() {
	g := &n.giving
	if g.since = since(g.since, n.now, mayGive(&n.view)); g.since == clock.Never {
		g.done = false
	}
	if g.on && n.sync.PeerInSync() {
		g.done, n.witnessed = true, n.epoch
		n.complete = n.complete || !n.unread()
	}
	switch wants := g.wants(n.now); {
	case wants && !g.on && n.sync.Pending() == 0 && !n.sync.Reconciling():
		n.startGiving()
	case !wants && g.on:
		n.stopGiving()
		n.sync.SetSink(n.now)
		n.connectSync()
		n.tell(false)
	}
}

// startGiving makes this node the source, with a new epoch. So the peer cannot mistake a
// position in this stream for one from this node's time as MASTER.
func (n *Node) startGiving() {
	n.giving.on = true
	n.seen++
	n.epoch = n.seen
	n.sync.SetSource(n.now, n.epoch)
	n.traceNote(fmt.Sprintf("cannot serve: gives its table of %d flows to the peer, as epoch %d", n.sync.Len(), n.epoch))
	n.tell(false)
}

func (n *Node) stopGiving() {
	if n.giving.on {
		n.giving.on = false
		n.traceNote("no longer gives its table to the peer")
	}
}
