package node

import (
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// followedTerm names a MASTER's time as such.
type followedTerm struct {
	incarnation uint64
	epoch       uint32
}

func (f *followedTerm) fingerprint(h *fingerprint.Hash) {
	h.Counter(fingerprint.Incarnation, f.incarnation)
	h.Counter(fingerprint.Epoch, uint64(f.epoch))
}

// standing is what the table was worth when a claim began.
type standing struct {
	epoch    uint32
	complete bool
}

func (s *standing) fingerprint(h *fingerprint.Hash) {
	h.Counter(fingerprint.Epoch, uint64(s.epoch))
	h.Flag(s.complete)
}

// standClaim follows what a claim makes of the table's worth. A node that claims takes its
// table for the truth, of an epoch of its own; where the claim comes to nothing it has
// served nobody, and its table is worth what it was.
func (n *Node) standClaim(from ha.Role, degraded bool) {
	switch {
	case n.role == ha.Claiming:
		n.standing = standing{n.epoch, n.complete}
		n.complete = !degraded
	case from == ha.Claiming && n.role != ha.Master:
		n.epoch, n.complete = n.standing.epoch, n.standing.complete
	}
}

// noteSync follows what the table is worth. That of a node with the role is the truth;
// once the peer holds it too, it outlives this node.
func (n *Node) noteSync() {
	if n.role.Holds() {
		n.freshUntil = n.now.Add(ownTableLife)
		if n.leads() {
			n.led, n.adoption.held = true, false
		}
		if n.leads() && n.sync.PeerInSync() {
			n.witnessed, n.complete = n.epoch, true
		}
		return
	}
	n.noteFollowing()
}

// noteFollowing follows, on a node that does not lead, whether its table is the MASTER's.
// One that is in sync holds the MASTER's table, one that is not holds neither its own nor
// the MASTER's.
func (n *Node) noteFollowing() {
	in, _ := n.sync.InSync()
	follows := n.live() && n.following && n.peer.state.Role.Holds()
	if follows && in && n.sync.Current() {
		n.syncedUntil = n.now.Add(staleAfter)
		n.freshUntil = n.syncedUntil
	}
	if n.complete && !n.silent() && !n.peerServes() {
		n.freshUntil = n.now.Add(ownTableLife) // while nobody serves a table does not age
	}
	switch stale := n.now >= n.freshUntil; {
	case follows && n.peer.state.Unread:
		n.complete = false
	case follows && in && !stale:
		n.epoch, n.witnessed, n.complete = n.peer.state.Rank.Epoch, n.peer.state.Rank.Epoch, true
		n.led, n.adoption.held = false, false
	case follows && !in && !n.sync.Settled(), stale && n.peerServes(), n.outlived():
		n.complete = false
	}
}

// peerServes reports whether the peer has the role, by its stream or else by BFD.
func (n *Node) peerServes() bool {
	if n.live() {
		return n.peer.state.Role.Holds()
	}
	return n.peerCondition() == serving
}
