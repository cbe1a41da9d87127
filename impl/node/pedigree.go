package node

import (
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// followedTerm identifies a term of a MASTER.
type followedTerm struct {
	incarnation uint64
	epoch       uint32
}

func (f *followedTerm) fingerprint(h *fingerprint.Hash) {
	h.Counter(fingerprint.Incarnation, f.incarnation)
	h.Counter(fingerprint.Epoch, uint64(f.epoch))
}

// standing is the worth of the table when a claim began.
type standing struct {
	epoch    uint32
	complete bool
}

func (s *standing) fingerprint(h *fingerprint.Hash) {
	h.Counter(fingerprint.Epoch, uint64(s.epoch))
	h.Flag(s.complete)
}

// standClaim updates the table's worth at the start and end of a claim. A claiming node
// treats its table as the true one, with a new epoch. If the claim fails, the node has
// served nobody, and its table gets its old worth back.
func (n *Node) standClaim(from ha.Role, degraded bool) {
	switch {
	case n.role == ha.Claiming:
		n.standing = standing{n.epoch, n.complete}
		n.complete = !degraded
	case from == ha.Claiming && n.role != ha.Master:
		n.epoch, n.complete = n.standing.epoch, n.standing.complete
	}
}

// noteSync updates the table's worth. The table of a node with the role is the true one.
// Once the peer holds it too, it outlives this node.
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

// noteFollowing updates, on a node that does not lead, whether its table is the MASTER's.
// A node in sync holds the MASTER's table. A node not in sync holds neither its own table
// nor the MASTER's.
func (n *Node) noteFollowing() {
	in, _ := n.sync.InSync()
	follows := n.live() && n.following && n.peer.state.Role.Holds()
	if follows && in && n.sync.Current() {
		n.syncedUntil = n.now.Add(staleAfter)
		n.freshUntil = n.syncedUntil
	}
	if n.complete && !n.silent() && !n.peerServes() {
		n.freshUntil = n.now.Add(ownTableLife) // a table does not age while nobody serves
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

// peerServes reports whether the peer has the role, by its stream or, without one, by BFD.
func (n *Node) peerServes() bool {
	if n.live() {
		return n.peer.state.Role.Holds()
	}
	return n.peerCondition() == serving
}
