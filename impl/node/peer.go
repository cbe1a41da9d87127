package node

import (
	"baton/impl/clock"
	"baton/impl/ha"
)

// peer is what this node knows of the other.
type peer struct {
	// known: it has said its role, and either its stream still stands or some BFD
	// path has been up ever since, so that it cannot have claimed unheard.
	known bool
	state state
	// granted is the Seq of the state that followed a grant of ours. Until the peer
	// has seen that one, it counts as holding the role whatever it says.
	granted uint64
}

// streamOpened begins a new conversation: a peer that has restarted counts anew.
func (p *peer) streamOpened() { p.state.Seq = 0 }

// streamLost ends it. What the peer said still counts while a BFD path is up.
func (p *peer) streamLost(anyUp bool) { p.known = p.known && anyUp }

// forget drops what the peer said: while it is not heard it may become anything.
func (p *peer) forget() { p.known, p.granted = false, 0 }

// grant notes that the role was given to the peer, and that the state seq tells of it.
func (p *peer) grant(seq uint64) {
	p.granted = seq
	p.state.Role = ha.Claiming
}

// hear takes what the peer says of itself, and reports whether it was MASTER until
// now, or may have been.
func (p *peer) hear(s state) (wasMaster bool) {
	if s.Incarnation != p.state.Incarnation {
		p.granted = 0
	}
	switch {
	case s.Seen >= p.granted:
		p.granted = 0
	case !s.Role.Holds():
		// It had not had our grant when it said this.
		s.Role = ha.Claiming
	}
	wasMaster = p.state.Role == ha.Master || !p.known
	p.known, p.state = true, s
	return wasMaster
}

// receiveState takes what the peer says of itself.
func (n *Node) receiveState(s state) error {
	if s.Rank.ID != n.cfg.Peer {
		return wrongPeer(s.Rank.ID, n.cfg.Peer)
	}
	wasMaster := n.peer.hear(s)
	n.stream.mute = clock.Never
	n.seen = max(n.seen, s.Rank.Epoch)
	if n.peer.state.Role.Holds() && n.paths.silent() {
		n.awake = max(n.awake, n.now.Add(hearLimit))
	}
	n.resolve(wasMaster)
	n.connectSync()
	if s.Ask {
		n.tell(false)
	}
	return nil
}

// losePeer forgets what the peer said.
func (n *Node) losePeer(why string) {
	n.peer.forget()
	n.resetStream(why)
}

// resolve settles which of two MASTERs stays one. wasMaster says that the peer was
// one until now, or may have been.
func (n *Node) resolve(wasMaster bool) {
	both := n.peer.state.Role == ha.Master && (n.role == ha.Master || n.role == ha.Claiming) ||
		n.peer.state.Role == ha.Claiming && n.role == ha.Claiming
	switch {
	case both && n.outranks():
		if n.role == ha.Master {
			n.raise(ha.Outranks)
		}
	case both:
		n.raise(ha.Outranked)
	case wasMaster && n.role == ha.Master:
		// It no longer is; caches may have latched on it meanwhile.
		n.startAnnouncement()
	}
}

// outranks reports whether this node ranks above the peer.
func (n *Node) outranks() bool {
	mine, theirs := n.rank(), n.peer.state.Rank
	if n.cfg.Preempt == PreemptImmediate {
		mine = ha.Rank{Able: true, Priority: mine.Priority, ID: mine.ID}
		theirs = ha.Rank{Able: true, Priority: theirs.Priority, ID: theirs.ID}
	}
	return mine.Compare(theirs) > 0
}

// connectSync tells the sync engine who is at the other end of the stream.
func (n *Node) connectSync() {
	if !n.stream.up || !n.peer.known {
		return
	}
	s := n.peer.state
	leads := s.Role == ha.Master || s.Role == ha.Yielding
	epoch := uint32(0) // of no concern to a source
	if leads {
		epoch = s.Rank.Epoch
	}
	n.sync.Connected(n.now, s.Incarnation, leads, epoch)
}
