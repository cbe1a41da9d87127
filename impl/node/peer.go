package node

import (
	"fmt"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// peer is what this node knows about its peer.
type peer struct {
	// met: the peer was heard at some time since this node booted.
	met bool
	// signals: the peer has said by BFD that it could serve, or that it cannot.
	signals bool
	// known: the peer has told its role and has been in touch ever since, so it cannot
	// have claimed unheard.
	known  bool
	state  state
	saidAt clock.Instant // when state arrived
	// granted is the Seq of the state that followed this node's grant. Until the peer has
	// seen that state, it counts as holding the role whatever it says.
	granted uint64
	// confirm is the Seq of the state that followed this node's last pause. What the peer
	// said before it saw that state may have waited in a buffer, so it counts neither for
	// a claim nor as a grant.
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

// streamOpened resets the sequence numbers, because a restarted peer starts its own
// again.
func (p *peer) streamOpened() { p.state.Seq, p.confirm = 0, 0 }

// streamLost ends the conversation. What the peer said still counts while a BFD path is
// up.
func (p *peer) streamLost(anyUp bool) { p.known = p.known && anyUp }

// forget drops what the peer said: a peer that is not heard may take any role.
func (p *peer) forget() { p.known, p.granted = false, 0 }

// grant records that the role was given to the peer, and that the state seq says so.
func (p *peer) grant(seq uint64) {
	p.granted = seq
	p.state.Role = ha.Claiming
}

// confirmed reports whether the peer has answered since this node's last pause.
func (p *peer) confirmed() bool { return p.state.Seen >= p.confirm }

// hear takes the peer's state, and reports whether the peer was, or may have been, MASTER
// until now.
func (p *peer) hear(s state) (wasMaster bool) {
	if s.Incarnation != p.state.Incarnation {
		p.granted = 0
	}
	switch {
	case s.Seen >= p.granted:
		p.granted = 0
	case !s.Role.Holds():
		// The peer had not received the grant when it sent this state.
		s.Role = ha.Claiming
	}
	wasMaster = p.state.Role == ha.Master || !p.known
	p.known, p.state = true, s
	return wasMaster
}

// maxEpoch is the largest epoch that a node believes. With a claim each second a pair reaches it in 68
// years. A node claims with an epoch above all that it has heard: after the largest possible one it
// would claim with epoch 0, below all others.
const maxEpoch = 1 << 31

// admit returns an error for a state that a peer without a defect never sends.
func (n *Node) admit(s *state) error {
	last := n.peer.state.Seq // 0 at the beginning of a stream
	switch {
	case s.Rank.ID != n.cfg.Peer:
		return wrongPeer(s.Rank.ID, n.cfg.Peer)
	case s.Rank.Epoch > maxEpoch || s.Rank.Witnessed > maxEpoch:
		return fmt.Errorf("node: state message: epoch %d, witnessed %d: no pair gets there", s.Rank.Epoch, s.Rank.Witnessed)
	case s.Seq <= last:
		return fmt.Errorf("node: state message: number %d after %d", s.Seq, last)
	case s.Seen > n.stream.seq:
		return fmt.Errorf("node: state message: answers number %d, and this node has sent %d", s.Seen, n.stream.seq)
	}
	return nil
}

// receiveState takes the peer's state.
func (n *Node) receiveState(s state) error {
	if err := n.admit(&s); err != nil {
		return err
	}
	wasMaster := n.peer.hear(s)
	n.peer.saidAt, n.stream.spoken = n.now, true
	n.learnPeer(s.MACs)
	n.seen = max(n.seen, s.Rank.Epoch)
	n.resolve(wasMaster)
	n.connectSync()
	n.renewLease() // the peer may have answered after a pause
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

// resolve settles which of two nodes stays or becomes MASTER. wasMaster: the peer was, or
// may have been, MASTER until now.
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
		// The peer is no longer MASTER. Meanwhile hosts may have learned its hardware
		// address for the VIPs.
		n.startAnnouncement()
	}
}

// outranks reports whether this node ranks above the peer. Both nodes must get the same
// result, so each compares the ranks that were sent, by the rules that both know.
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
// lacks, because its table has a history that this one does not have. Such a peer takes
// the role even from a MASTER, which must not overwrite that table with its own.
func (n *Node) outrankedByTable() bool {
	theirs := n.peer.state.Rank
	return n.tablesCount() && theirs.Able && theirs.CompareTable(n.rank()) > 0
}

// tablesCount reports whether the worth of the tables matters. It does not to a peer that
// speaks protocol version 1, which cannot send it, nor to a node that seizes the role.
func (n *Node) tablesCount() bool {
	return n.stream.version >= versionKeepalive && n.cfg.Preempt != PreemptImmediate
}

// connectSync tells the sync engine who is at the other end of the stream. This node does
// not follow a MASTER whose table is worth less than its own.
func (n *Node) connectSync() {
	if !n.stream.up || !n.peer.known {
		return
	}
	s := n.peer.state
	leads := s.Role == ha.Master || s.Role == ha.Yielding
	epoch := uint32(0) // ignored by a source
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
