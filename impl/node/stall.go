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

// note follows a role change; next is the number of the state that tells the peer of it.
func (w *stallWaiver) note(event ha.Event, role ha.Role, next uint64) {
	*w = stallWaiver{active: event == ha.LeaseExpired && role == ha.Backup, seq: next}
}

// asks reports whether a state should ask for an answer.
func (w *stallWaiver) asks(p *peer) bool { return w.active && !w.answered(p) }

// answered reports whether the peer has answered that it is not MASTER.
func (w *stallWaiver) answered(p *peer) bool {
	return w.active && p.known && p.state.Seen >= w.seq && !p.state.Role.Holds()
}
