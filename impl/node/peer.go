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
	// lostAt is when the stream was lost; meaningful while it is down.
	lostAt clock.Instant
	// granted is the Seq of the state that followed a grant of ours. Until the peer
	// has seen that one, it counts as holding the role whatever it says.
	granted uint64
}

// stream is the sync stream of the moment.
type stream struct {
	id uint64
	up bool
	// seq counts the states sent, over all streams.
	seq uint64
	// rank is the one that the peer was told last, with the state rankSeq first.
	rank    ha.Rank
	rankSeq uint64
	// mute is until when the peer must have said its state on the stream; Never once
	// it has. A stream that was accepted by the kernel of a peer that then died says
	// nothing, and nothing else would end it.
	mute clock.Instant
}

// checkStream gives up a stream on which the peer says nothing.
func (n *Node) checkStream() {
	if n.stream.up && n.now >= n.stream.mute {
		n.resetStream("the peer said nothing on it")
	}
}

func (n *Node) streamWants() clock.Instant {
	if n.stream.up {
		return n.stream.mute
	}
	return clock.Never
}

func (n *Node) receiveStream(in Stream) {
	if in.ID < n.stream.id {
		return
	}
	if in.Up {
		if n.stream.up {
			n.sync.Disconnected(n.now, "replaced by a new stream")
		}
		n.stream.id, n.stream.up, n.stream.mute = in.ID, true, n.now.Add(muteLimit)
		// Seen speaks of this stream alone: a peer that has restarted counts anew.
		n.peer.state.Seq = 0
		n.tell(true)
		return
	}
	n.streamLost(in.Why)
}

// streamLost notes that nothing more will come on the present stream.
func (n *Node) streamLost(why string) {
	if !n.stream.up {
		return
	}
	n.stream.up = false
	n.peer.lostAt = n.now
	n.peer.known = n.peer.known && n.anyUp()
	n.grant = nil
	n.sync.Disconnected(n.now, why)
}

// resetStream gives the present stream up. Frames of it that are still on their
// way will be ignored.
func (n *Node) resetStream(why string) {
	if n.stream.up {
		n.emit(ResetStream{Why: why})
		n.streamLost(why)
	}
}

// losePeer forgets what the peer said: while it is not heard it may become anything.
func (n *Node) losePeer(why string) {
	n.peer.known = false
	n.peer.granted = 0
	n.resetStream(why)
}

func (n *Node) receiveMessage(in Message) {
	if !n.stream.up || in.Stream != n.stream.id || len(in.Data) == 0 {
		return
	}
	var err error
	if in.Data[0] < typeState {
		err = n.sync.Receive(n.now, in.Data)
	} else {
		err = n.receiveOwn(in.Data)
	}
	if err != nil {
		n.traceNote("sync stream reset: " + err.Error())
		n.resetStream(err.Error())
	}
}

func (n *Node) receiveOwn(data []byte) error {
	if err := checkHeader(data); err != nil {
		return err
	}
	switch data[0] {
	case typeState:
		s, err := decodeState(data)
		if err != nil {
			return err
		}
		return n.receiveState(s)
	case typeRequest:
		return n.receiveRequest(data)
	case typeGrant:
		g, err := decodeGrant(data)
		if err != nil {
			return err
		}
		n.receiveGrant(g)
		return nil
	}
	return unknownType(data[0])
}

// receiveState takes what the peer says of itself.
func (n *Node) receiveState(s state) error {
	if s.Rank.ID != n.cfg.Peer {
		return wrongPeer(s.Rank.ID, n.cfg.Peer)
	}
	if s.Incarnation != n.peer.state.Incarnation {
		n.peer.granted = 0
	}
	switch {
	case s.Seen >= n.peer.granted:
		n.peer.granted = 0
	case !s.Role.Holds():
		// It had not had our grant when it said this.
		s.Role = ha.Claiming
	}
	// A peer that was not heard may have been MASTER meanwhile.
	wasMaster := n.peer.state.Role == ha.Master || !n.peer.known
	n.peer.known, n.peer.state, n.stream.mute = true, s, clock.Never
	n.seen = max(n.seen, s.Rank.Epoch)
	if s.Role.Holds() && n.silent() {
		n.awake = max(n.awake, n.now.Add(hearLimit))
	}
	n.resolve(wasMaster)
	n.connectSync()
	if s.Ask {
		n.tell(false)
	}
	return nil
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

// tell sends this node's state to the peer.
func (n *Node) tell(ask bool) {
	if !n.stream.up {
		return
	}
	n.stream.seq++
	if rank := n.rank(); rank != n.stream.rank {
		n.stream.rank, n.stream.rankSeq = rank, n.stream.seq
	}
	s := state{
		Role: n.roleToTell(), Rank: n.stream.rank, Incarnation: n.cfg.Incarnation,
		Seq: n.stream.seq, Seen: n.peer.state.Seq, Ask: ask || !n.rankKnown() || n.stall.asks(n),
	}
	n.emit(SendSync{Data: s.encode()})
}

// roleToTell is the role as the peer must take it. A node that may still act upon a
// grant says that it is claiming: whoever gave the role must not take it back meanwhile.
func (n *Node) roleToTell() ha.Role {
	if n.role == ha.Backup && n.grant != nil {
		return ha.Claiming
	}
	return n.role
}

// rankKnown reports whether the peer has seen this node's present rank. Until then
// it may have claimed, by what it knew, and its saying so be on its way; what it says
// after that, it says after its claim.
func (n *Node) rankKnown() bool {
	return n.rank() == n.stream.rank && n.peer.state.Seen >= n.stream.rankSeq
}

// rank is what this node says of its claim to the role.
func (n *Node) rank() ha.Rank {
	return ha.Rank{
		Able:  n.gates.open.Has(ha.LinksUp|ha.DataplaneReady|ha.Reachable|ha.Arbitrated) && !n.leaving.asked && n.role != ha.Fault,
		Epoch: n.epoch, Complete: n.complete, Priority: n.cfg.Priority, ID: n.cfg.ID,
	}
}
