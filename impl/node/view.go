package node

import (
	"baton/impl/clock"
	"baton/impl/ctsync"
	"baton/impl/ha"
)

// view is what a node knows at one instant, gathered once for all gates. A gate is a
// function of it and of nothing else.
type view struct {
	now     clock.Instant
	cfg     *Config
	role    ha.Role
	leaving bool

	linkDown  string // a service link without carrier, "" if every link has one
	dataplane Dataplane
	reach     reach
	holdRun   bool // the recovery delay has run

	// What BFD says of the peer.
	silent   bool // it is heard on no path
	listened bool // this node has listened for long enough to judge silence
	up       bool // a path is Up

	// What the sync stream says of the peer.
	stream    bool // a stream is up
	said      bool // the peer's role is known
	peer      state
	outranks  bool // this node ranks above the peer
	rankKnown bool // the peer has seen this node's present rank
	waived    bool // the peer answered after a stall that it is not MASTER

	// The connection table.
	seen       uint32 // the largest epoch ever claimed or heard of
	epoch      uint32
	complete   bool
	stale      bool // the stream to a live MASTER has been down for too long
	inSync     bool
	syncWhy    ctsync.Reason
	granted    bool // the MASTER gave its role to this node
	applied    bool // and what it sent last has taken hold
	peerInSync bool
}

// look gathers the view of this instant. It lives in the node, so that a heartbeat
// allocates nothing.
func (n *Node) look() *view {
	v := &n.view
	*v = view{
		now: n.now, cfg: &n.cfg, role: n.role, leaving: n.leaving.asked,
		linkDown: n.linkDown(), dataplane: n.dataplane, reach: n.targets.reach(), holdRun: n.now >= n.hold.Ends(),
		silent: n.paths.silent(), listened: n.now >= n.awake, up: n.paths.anyUp(),
		stream: n.stream.up, said: n.peer.known, peer: n.peer.state,
		outranks: n.outranks(), rankKnown: n.rankKnown(), waived: n.stall.answered(&n.peer),
		seen: n.seen, epoch: n.epoch, complete: n.complete, stale: n.now >= n.staleAt(),
		granted: n.grant.pending, peerInSync: n.sync.PeerInSync(),
	}
	v.applied = v.granted && n.sync.AppliedSeq() >= n.grant.Barrier
	v.inSync, v.syncWhy = n.sync.InSync()
	return v
}

// linkDown names a service link without carrier.
func (n *Node) linkDown() string {
	for _, name := range n.cfg.Links {
		if !n.links[name] {
			return name
		}
	}
	return ""
}
