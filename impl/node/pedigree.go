package node

import "baton/impl/fingerprint"

// followedTerm names a MASTER's time as such.
type followedTerm struct {
	incarnation uint64
	epoch       uint32
}

func (f *followedTerm) fingerprint(h *fingerprint.Hash) {
	h.Counter(fingerprint.Incarnation, f.incarnation)
	h.Counter(fingerprint.Epoch, uint64(f.epoch))
}

// noteSync follows what the table is worth. That of a node with the role is the truth;
// once the peer holds it too, it outlives this node.
func (n *Node) noteSync() {
	if n.role.Holds() {
		n.freshUntil = n.now.Add(ownTableLife)
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
	case follows && !in && !n.sync.Settled(), stale && n.peerServes():
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
