package node

import (
	"baton/impl/clock"
	"baton/impl/ha"
)

// stream is the sync stream of the moment.
type stream struct {
	id uint64
	up bool
	// lostAt is when the last stream was lost; meaningful while none is up.
	lostAt clock.Instant
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

// open notes that a stream is established.
func (s *stream) open(now clock.Instant, id uint64) {
	s.id, s.up, s.mute = id, true, now.Add(muteLimit)
}

// lose notes that nothing more will come on the stream.
func (s *stream) lose(now clock.Instant) { s.up, s.lostAt = false, now }

// isMute reports whether the peer has said nothing on the stream for too long.
func (s *stream) isMute(now clock.Instant) bool { return s.up && now >= s.mute }

// next counts a state that tells the peer of a rank.
func (s *stream) next(rank ha.Rank) uint64 {
	s.seq++
	if rank != s.rank {
		s.rank, s.rankSeq = rank, s.seq
	}
	return s.seq
}

// deadline returns when the stream next needs a Timer.
func (s *stream) deadline() clock.Instant {
	if s.up {
		return s.mute
	}
	return clock.Never
}

func (n *Node) receiveStream(in Stream) {
	if in.ID < n.stream.id {
		return
	}
	if !in.Up {
		n.streamLost(in.Why)
		return
	}
	if n.stream.up {
		n.sync.Disconnected(n.now, "replaced by a new stream")
	}
	n.stream.open(n.now, in.ID)
	n.peer.streamOpened()
	n.tell(true)
}

// streamLost notes that nothing more will come on the present stream.
func (n *Node) streamLost(why string) {
	if !n.stream.up {
		return
	}
	n.stream.lose(n.now)
	n.peer.streamLost(n.paths.anyUp())
	n.grant.drop()
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

// checkStream gives up a stream on which the peer says nothing.
func (n *Node) checkStream() {
	if n.stream.isMute(n.now) {
		n.resetStream("the peer said nothing on it")
	}
}

// staleAt is when a table counts as stale because its stream is down while the MASTER lives.
func (n *Node) staleAt() clock.Instant {
	if n.stream.up || n.role.Holds() || !n.peer.known || !n.peer.state.Role.Holds() {
		return clock.Never
	}
	return n.stream.lostAt.Add(staleAfter)
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

// tell sends this node's state to the peer.
func (n *Node) tell(ask bool) {
	if !n.stream.up {
		return
	}
	seq := n.stream.next(n.rank())
	s := state{
		Role: n.roleToTell(), Rank: n.stream.rank, Incarnation: n.cfg.Incarnation,
		Seq: seq, Seen: n.peer.state.Seq, Ask: ask || !n.rankKnown() || n.stall.asks(&n.peer),
	}
	n.emit(SendSync{Data: s.encode()})
}

// tellRank tells the peer when this node's rank has changed without its role.
func (n *Node) tellRank() {
	if n.stream.up && n.rank() != n.stream.rank {
		n.tell(false)
	}
}

// roleToTell is the role as the peer must take it. A node that may still act upon a
// grant says that it is claiming: whoever gave the role must not take it back meanwhile.
func (n *Node) roleToTell() ha.Role {
	if n.role == ha.Backup && n.grant.pending {
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
