package node

import "baton/impl/ha"

// stallWaiver spares a MASTER that lost its lease to a short pause the recovery
// delay: a peer that answers after the pause that it is not MASTER proves that
// nothing was missed. The answer must be to a question asked after the pause;
// anything older may have waited in a buffer.
type stallWaiver struct {
	active bool
	seq    uint64 // the peer must have seen this state of ours
}

// note follows a role change; the state that tells the peer of it is sent next.
func (w *stallWaiver) note(n *Node, event ha.Event) {
	*w = stallWaiver{active: event == ha.LeaseExpired && n.role == ha.Backup, seq: n.stream.seq + 1}
}

// asks reports whether a state should ask for an answer.
func (w *stallWaiver) asks(n *Node) bool { return w.active && !w.open(n) }

// open reports whether the peer has answered that it is not MASTER.
func (w *stallWaiver) open(n *Node) bool {
	return w.active && n.peer.known && n.peer.state.Seen >= w.seq && !n.peer.state.Role.Holds()
}
