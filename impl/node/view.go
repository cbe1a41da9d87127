package node

import (
	"baton/impl/ctsync"
	"baton/impl/ha"
)

// view is what a node knows at one instant, gathered once for all gates. A gate is a
// function of the view alone, so equal views have equal gates. Therefore a view holds
// what has elapsed instead of the time, and it points to nothing that changes.
type view struct {
	cfg     *Config
	role    ha.Role
	able    bool // this node could serve
	leaving bool

	linkDown  string // a service link without carrier; "" if every link has one
	unsent    string // why no BFD packet leaves; "" if one does
	dataplane Dataplane
	reach     reach
	gateway   reach
	lacksLong bool // a target or the gateway has not answered for so long that the node gives the role up
	holdRun   bool // the recovery delay has run
	undamped  bool // the recovery delay would have run without its lengthening by flaps
	booting   bool // the recovery delay is that of the boot: this node has had no fault and no demotion
	refused   bool // the dataplane refused the last lease

	// How the peer is heard.
	silent    bool // heard neither by BFD nor on the stream
	listened  bool // this node has listened for long enough to judge silence
	overdue   bool // it should have been heard again
	up        bool // a BFD session is Up
	allUp     bool // every BFD session is Up
	met       bool // it was heard at some time since this node booted
	condition condition
	deaf      bool // it serves and does not hear this node
	doubted   bool // it says by BFD that it does not hear this node, and has no stream
	ourTurn   bool // it is this node's turn to end a standoff
	serves    bool // it has the role, by its stream or, without one, by BFD

	// What the peer says on a live stream.
	live      bool
	peer      state
	outranks  bool // this node ranks above the peer
	better    bool // the peer's table is worth more than this node's
	lacks     bool // the peer's table has entries that this node's lacks
	peerLacks bool // this node's table has entries that the peer's lacks
	awaited   bool // a peer that cannot serve may begin to give its table
	rankKnown bool // the peer has seen this node's present rank
	confirmed bool // the peer has answered since this node's last pause
	appraised bool // the tables' worth counts, and the peer says what its own is worth

	// The connection table.
	seen       uint32 // the largest epoch ever claimed or heard of
	complete   bool
	adopted    bool // the table is the process before's, unchanged
	stale      bool // the peer serves, and nothing confirms the table any more
	inSync     bool
	syncWhy    ctsync.Reason
	granted    bool // the MASTER gave its role to this node
	applied    bool // and the MASTER's last changes are applied
	peerInSync bool
	unread     bool // this node leads and could not read its dataplane for too long

	arbitration ruling
}

// look gathers the view of this instant.
func (n *Node) look(h *hearing) view {
	rank := n.rank()
	v := view{
		cfg:     &n.cfg,
		role:    n.role,
		able:    rank.Able,
		leaving: n.leaving.asked,

		linkDown:  n.links.down(),
		unsent:    n.paths.unsent(n.now),
		dataplane: n.adoption.gate(n.dataplane),
		reach:     n.targets.reach(),
		gateway:   n.gateway.reach(),
		lacksLong: n.lacksLong(),
		holdRun:   n.now >= n.hold.Ends(),
		undamped:  n.now >= n.hold.EndsUndamped(),
		booting:   n.hold.Boots(),
		refused:   n.refused(),

		silent:    h.silent,
		listened:  n.listened(),
		overdue:   n.now >= n.overdueAt(),
		up:        h.up,
		allUp:     n.paths.allUp(),
		met:       n.peer.met,
		condition: h.condition,
		deaf:      n.rival.deaf(h),
		doubted:   n.doubtTold(),
		ourTurn:   n.now >= n.standoffTurn(),
		serves:    n.peerServes(),

		live:      h.live,
		peer:      n.peer.state,
		outranks:  n.outranks(rank),
		better:    n.peer.state.Rank.CompareTable(rank) > 0,
		lacks:     n.tablesCount() && n.peer.state.Rank.Supersedes(rank),
		peerLacks: n.tablesCount() && rank.Supersedes(n.peer.state.Rank),
		rankKnown: n.rankKnown(rank),
		confirmed: n.peer.confirmed(),
		appraised: n.tablesCount(),

		seen:       n.seen,
		complete:   n.complete,
		adopted:    n.adoption.held,
		stale:      n.now >= n.syncedUntil,
		granted:    n.grant.pending,
		peerInSync: n.sync.PeerInSync(),
		unread:     n.unread(),

		arbitration: n.ruling(),
	}
	v.applied = v.granted && n.sync.AppliedSeq() >= n.grant.Barrier
	v.inSync, v.syncWhy = n.sync.InSync()
	return v
}

// silent reports whether nothing is heard of the peer, and its stream has not just ended.
func (n *Node) silent() bool { return n.nothingHeard() && n.now >= n.stream.lingers }

// nothingHeard reports whether the peer is heard neither on a path nor on the stream.
func (n *Node) nothingHeard() bool { return n.paths.silent(n.now) && !n.streamLive() }

// live reports whether the peer's role is known from a stream on which it speaks.
func (n *Node) live() bool { return n.peer.known && n.streamLive() }
