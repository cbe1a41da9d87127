package node

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// A node that cannot serve may have the only table with the sessions of the clients. While
// nobody serves it gives that table to its peer. It says that it is Yielding, as a MASTER
// that hands over: it does not forward, and its table is to be received. The peer claims
// with the table once it has it, or without it once this node says that it is not Yielding.

// giveLimit is how long a node gives its table at most, counted from when both nodes knew
// of it. A million flows take a second.
const giveLimit = 2 * time.Second

// awaitLimit is how long a node waits for its peer to begin to give its table.
const awaitLimit = 500 * time.Millisecond

// giving is the state of both sides.
type giving struct {
	// since is when the peer came to lack the table that this node can only give, Never
	// while it does not; awaited is when this node came to lack the peer's.
	since, awaited clock.Instant
	on             bool // this node gives
	done           bool // it has given
}

func (g *giving) fingerprint(h *fingerprint.Hash) {
	h.Instant(g.since)
	h.Instant(g.awaited)
	h.Flag(g.on)
	h.Flag(g.done)
}

// wants reports whether this node is to give its table.
func (g *giving) wants(now clock.Instant) bool {
	return g.since != clock.Never && now < g.since.Add(giveLimit) && !g.done
}

// awaits reports whether the peer may still begin to give.
func (g *giving) awaits(now clock.Instant) bool {
	return g.awaited != clock.Never && now < g.awaited.Add(awaitLimit)
}

// deadlines returns when either ends by itself.
func (g *giving) deadlines() (wants, awaits clock.Instant) {
	wants, awaits = clock.Never, clock.Never
	if g.since != clock.Never {
		wants = g.since.Add(giveLimit)
	}
	if g.awaited != clock.Never {
		awaits = g.awaited.Add(awaitLimit)
	}
	return wants, awaits
}

// mayGive reports whether the peer lacks a table that this node has and cannot serve from.
func mayGive(v *view) bool {
	return v.live && !v.peer.Role.Holds() && !v.role.Holds() && v.role != ha.Init && !v.able && !v.leaving && v.peerLacks
}

// mayReceive reports whether this node lacks a table that the peer has and cannot serve from.
func mayReceive(v *view) bool {
	return v.live && !v.role.Holds() && !v.peer.Rank.Able && v.lacks
}

// checkAwaited follows whether the peer has a table to give, for the gate Degraded.
func (n *Node) checkAwaited(v *view) {
	n.giving.awaited = since(n.giving.awaited, n.now, mayReceive(v))
	v.awaited = n.giving.awaits(n.now)
}

// checkGiving begins and ends to give this node's table.
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

// startGiving makes this node the source. What it tells from here on is of an epoch of
// its own, so that no position in it can be taken for one of its time as MASTER.
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
