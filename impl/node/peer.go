package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// peer is what this node knows of the other.
type peer struct {
	// met: it was heard at some time since this node booted.
	met bool
	// signals: it has said by BFD that it could serve, or that it cannot.
	signals bool
	// known: it has said its role, and has not been out of touch since, so that it
	// cannot have claimed unheard.
	known  bool
	state  state
	saidAt clock.Instant // when the state came
	// granted is the Seq of the state that followed a grant of ours. Until the peer
	// has seen that one, it counts as holding the role whatever it says.
	granted uint64
	// confirm is the Seq of the state that followed this node's last pause. What the
	// peer said before it saw that one may have waited in a buffer, and counts neither
	// for a claim nor as a grant.
	confirm uint64
}

func (p *peer) fingerprint(h *fingerprint.Hash) {
	h.Flag(p.met)
	h.Flag(p.signals)
	h.Flag(p.known)
	p.state.fingerprint(h)
	h.Instant(p.saidAt)
	h.Counter(fingerprint.Seq, p.granted)
	h.Number(p.confirm)
}

// streamOpened begins a new conversation: a peer that has restarted counts anew.
func (p *peer) streamOpened() { p.state.Seq, p.confirm = 0, 0 }

// streamLost ends it. What the peer said still counts while a BFD path is up.
func (p *peer) streamLost(anyUp bool) { p.known = p.known && anyUp }

// forget drops what the peer said: while it is not heard it may become anything.
func (p *peer) forget() { p.known, p.granted = false, 0 }

// grant notes that the role was given to the peer, and that the state seq tells of it.
func (p *peer) grant(seq uint64) {
	p.granted = seq
	p.state.Role = ha.Claiming
}

// confirmed reports whether the peer has answered since this node's last pause.
func (p *peer) confirmed() bool { return p.state.Seen >= p.confirm }

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
	n.peer.saidAt, n.stream.spoken = n.now, true
	n.learnPeer(s.MACs)
	n.seen = max(n.seen, s.Rank.Epoch)
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

// resolve settles which of two nodes stays MASTER, or becomes it. wasMaster says that
// the peer was one until now, or may have been.
func (n *Node) resolve(wasMaster bool) {
	peer := n.peer.state
	both := peer.Role == ha.Master && (n.role == ha.Master || n.role == ha.Claiming) ||
		peer.Role == ha.Claiming && n.role == ha.Claiming
	switch {
	case both && n.outranks(n.rank()):
		if n.role == ha.Master {
			n.raise(ha.Outranks)
		}
	case both, n.role == ha.Master && n.outrankedByTable():
		n.raise(ha.Outranked)
	case wasMaster && n.role == ha.Master:
		// It no longer is; caches may have latched on it meanwhile.
		n.startAnnouncement()
	}
}

// outranks reports whether this node ranks above the peer. Both nodes must find the
// same, so each compares what was told, by the rules that both know.
func (n *Node) outranks(mine ha.Rank) bool {
	theirs := n.peer.state.Rank
	switch {
	case n.cfg.Preempt == PreemptImmediate:
		mine = ha.Rank{Able: true, Priority: mine.Priority, ID: mine.ID}
		theirs = ha.Rank{Able: true, Priority: theirs.Priority, ID: theirs.ID}
	case n.stream.version < versionKeepalive:
		return mine.CompareVersion1(theirs) > 0
	}
	return mine.Compare(theirs) > 0
}

// outrankedByTable reports whether the peer could serve sessions that this node's table
// lacks: it holds a table with a history that this one has not. Such a peer takes the
// role even from a MASTER, which must not overwrite that table with its own.
func (n *Node) outrankedByTable() bool {
	theirs := n.peer.state.Rank
	return n.tablesCount() && theirs.Able && theirs.CompareTable(n.rank()) > 0
}

// tablesCount reports whether it matters what the tables are worth: not to a peer of
// version 1 of the protocol, which cannot say it, and not to a node that seizes the role.
func (n *Node) tablesCount() bool {
	return n.stream.version >= versionKeepalive && n.cfg.Preempt != PreemptImmediate
}

// connectSync tells the sync engine who is at the other end of the stream. A MASTER
// whose table is worth less than this node's is not followed.
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
	term := followedTerm{s.Incarnation, epoch}
	if leads && n.followed != term && n.tablesCount() && n.rank().CompareTable(s.Rank) > 0 {
		leads, epoch = false, 0
	}
	n.following = leads
	n.offerRest(leads, term, s.Rank)
	if leads {
		n.followed = term
	}
	if err := n.sync.Connected(n.now, n.stream.version, s.Incarnation, leads, epoch); err != nil {
		n.resetStream(err.Error())
	}
}
