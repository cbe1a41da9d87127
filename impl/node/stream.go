package node

import (
	"cmp"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// stream is the current sync stream.
type stream struct {
	id      uint64
	up      bool
	version uint8 // protocol version that both ends speak
	// spoken: a state of the peer has arrived on the stream. heard is when the last frame
	// arrived, or when the stream was established.
	spoken bool
	heard  clock.Instant
	opened clock.Instant // when the stream was established
	// lingers is until when the end of a stream does not show that the peer is silent.
	lingers clock.Instant
	// waits is until when frames of the peer may wait that came while this node was paused, readBy when the
	// node surely has read its sockets.
	waits, readBy clock.Instant
	// gone is until when the peer may have closed the last stream because this node was paused.
	gone clock.Instant
	// keepalive is when the next keepalive is due, sentAt when the last one was sent.
	keepalive, sentAt clock.Instant

	// seq counts the states sent on all streams.
	seq uint64
	// rank is the rank that was sent last; the state rankSeq was the first with it.
	rank    ha.Rank
	rankSeq uint64
	unread  bool // the Unread that was sent last
}

func (s *stream) fingerprint(h *fingerprint.Hash) {
	h.Counter(fingerprint.Stream, s.id)
	h.Flag(s.up)
	h.Number(uint64(s.version))
	h.Flag(s.spoken)
	h.Instant(s.heard)
	h.Instant(s.opened)
	h.Instant(s.lingers)
	h.Instant(s.waits)
	h.Instant(s.readBy)
	h.Instant(s.gone)
	h.Instant(s.keepalive)
	h.Instant(s.sentAt)
	h.Counter(fingerprint.Seq, s.seq)
	s.rank.Fingerprint(h)
	h.Counter(fingerprint.Seq, s.rankSeq)
	h.Flag(s.unread)
}

// open records that a stream is established.
func (s *stream) open(now clock.Instant, id uint64, version uint8) {
	s.id, s.up, s.version = id, true, version
	s.spoken, s.heard, s.opened, s.keepalive = false, now, now, now
}

// lose records that nothing more will arrive on the stream.
func (s *stream) lose() { s.up, s.spoken = false, false }

// live reports whether the peer speaks on the stream: a frame arrived within limit. A peer
// that sends no keepalives counts as speaking for as long as the stream is established.
func (s *stream) live(now clock.Instant, limit time.Duration) bool {
	return s.up && s.spoken && (s.version < versionKeepalive || now < s.heard.Add(limit))
}

// paused records a pause, after which this node listens until awake.
func (s *stream) paused(began, awake, readBy clock.Instant, limit time.Duration) {
	if s.live(began, limit) {
		s.waits, s.readBy = awake, readBy
	}
}

// mayLive reports whether the peer may have spoken on the stream while this node was paused, in frames that
// are read by an instant.
func (s *stream) mayLive(now, readBy clock.Instant) bool { return s.up && s.spoken && now < readBy }

// mute reports whether the stream has been silent for so long that it is closed.
func (s *stream) mute(now clock.Instant) bool { return now >= s.muteAt() }

func (s *stream) muteAt() clock.Instant {
	if !s.up || s.spoken && s.version < versionKeepalive {
		return clock.Never
	}
	return s.heard.Add(muteLimit)
}

// next counts a state that carries a rank.
func (s *stream) next(rank ha.Rank) uint64 {
	s.seq++
	if rank != s.rank {
		s.rank, s.rankSeq = rank, s.seq
	}
	return s.seq
}

// keepaliveDue returns when the next keepalive is due; Never on a stream without
// keepalives.
func (s *stream) keepaliveDue() clock.Instant {
	if !s.up || s.version < versionKeepalive {
		return clock.Never
	}
	return s.keepalive
}

func (n *Node) receiveStream(in Stream) {
	if in.ID < n.stream.id {
		return
	}
	if !in.Up {
		if n.stream.spoken {
			n.stream.gone = n.stream.waits
		}
		n.outlast()
		n.streamLost(in.Why)
		return
	}
	if n.stream.up {
		n.sync.Disconnected(n.now, "replaced by a new stream")
		n.comparison.streamLost()
	}
	n.stream.open(n.now, in.ID, in.version())
	n.peer.streamOpened()
	n.decisions.streamOpened()
	n.flows = uint32(n.sync.Len())
	n.tell(true)
}

// streamLost records that nothing more will arrive on the current stream.
func (n *Node) streamLost(why string) {
	if !n.stream.up {
		return
	}
	n.stream.lose()
	n.peer.streamLost(n.paths.anyUp())
	n.grant.drop()
	n.sync.Disconnected(n.now, why)
	n.comparison.streamLost()
}

// outlast keeps the end of a stream from counting as the peer's silence. The kernel of a killed peer closes
// its stream before its lease ends, and the peer's last keepalive still lets it forward for a while. BFD paths
// may be silent by then or soon after: while they are filtered, or after a restart, until authentication lets
// the sessions continue. A peer that has withdrawn from a path since the stream began has stopped.
func (n *Node) outlast() {
	if n.streamLive() && n.paths.withdrew() < n.stream.opened {
		n.stream.lingers = n.now.Add(cmp.Or(n.peer.state.Detect, n.paths.streamDetection()))
	}
}

// resetStream closes the current stream. Frames of it that arrive later are ignored.
func (n *Node) resetStream(why string) {
	if n.stream.up {
		n.emit(ResetStream{Why: why})
		n.streamLost(why)
	}
}

// streamLive reports whether the peer speaks on the stream.
func (n *Node) streamLive() bool { return n.stream.live(n.now, n.peer.state.Detect) }

// heardOnTheStreamLast reports whether the stream fell silent after every path had. In a crash a path does, because
// its detection time is longer.
func (n *Node) heardOnTheStreamLast() bool {
	last := clock.Instant(0)
	for i := range n.paths {
		last = max(last, n.paths[i].came)
	}
	return n.stream.heard.Add(n.peer.state.Detect) > last.Add(n.paths.lonelyDetection())
}

// inTouch reports whether the peer is heard by a session that is Up or on the stream.
func (n *Node) inTouch() bool { return n.paths.anyUp() || n.streamLive() }

// checkStream closes a stream on which the peer is silent, at once if its BFD path is down
// too.
func (n *Node) checkStream() {
	switch {
	case n.stream.mute(n.now):
		n.resetStream("the peer said nothing on it")
	case n.stream.spoken && !n.streamLive() && !n.paths.syncUp():
		n.resetStream("the peer is silent on it and on its BFD path")
	}
	if n.peer.known && !n.inTouch() {
		n.losePeer("the peer is not heard")
	}
}

// liveUntil is when the peer ceases to be live on the stream if it sends nothing more.
func (n *Node) liveUntil() clock.Instant {
	if n.stream.version < versionKeepalive || !n.streamLive() {
		return clock.Never
	}
	return n.stream.heard.Add(n.peer.state.Detect)
}

// keepalivesDue is how many keepalives are sent in the time within which one must arrive.
const keepalivesDue = 3

// sendKeepalive sends a keepalive if one is due.
func (n *Node) sendKeepalive() {
	if n.now < n.stream.keepaliveDue() {
		return
	}
	n.stream.keepalive, n.stream.sentAt = n.now.Add(n.paths.streamDetection()/keepalivesDue), n.now
	n.emit(keepalives[n.stream.version])
	n.renewLease()
}

func (n *Node) receiveMessage(in Message) {
	if !n.stream.up || in.Stream != n.stream.id || len(in.Data) == 0 {
		return
	}
	n.stream.heard = n.now
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
	if err := checkHeader(data, n.stream.version); err != nil {
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
	case typeKeepalive:
		return checkKeepalive(data)
	case typeServices:
		return n.receiveCatalog(data)
	case typeDecision:
		return n.receiveDecision(data)
	}
	return unknownType(data[0])
}

// tell sends this node's state to the peer.
func (n *Node) tell(ask bool) {
	if !n.stream.up {
		return
	}
	rank := n.rank()
	seq := n.stream.next(rank)
	n.stream.unread = n.unread()
	s := state{
		Role: n.roleToTell(), Rank: rank, Incarnation: n.cfg.Incarnation, Detect: n.paths.streamDetection(),
		MACs: n.links.macs(), Unread: n.stream.unread, Seq: seq, Seen: n.peer.state.Seq,
		Ask: ask || !n.rankKnown(rank) || !n.peer.confirmed() || n.peer.granted != 0,
	}
	n.emit(SendSync{Data: s.encode(n.stream.version)})
}

// tellRank sends this node's state if its rank or its Unread has changed without a change
// of role.
func (n *Node) tellRank() {
	if n.stream.up && (n.rank() != n.stream.rank || n.unread() != n.stream.unread) {
		n.tell(false)
	}
}

// roleToTell returns the role to send to the peer. A node that may still act on a grant
// sends Claiming, so that the node that gave the role does not take it back meanwhile. A
// node that gives its table sends Yielding.
func (n *Node) roleToTell() ha.Role {
	switch {
	case n.role == ha.Backup && n.grant.pending:
		return ha.Claiming
	case n.giving.on:
		return ha.Yielding
	}
	return n.role
}

// rankKnown reports whether the peer has seen this node's current rank. Until then the peer
// may have claimed by an older rank, and the state that says so may be in transit. What the
// peer says later, it says after its claim.
func (n *Node) rankKnown(rank ha.Rank) bool {
	return rank == n.stream.rank && n.peer.state.Seen >= n.stream.rankSeq
}

// able reports whether this node could serve.
func (n *Node) able() bool {
	return n.gates.open.Has(ha.LinksUp|ha.DataplaneReady|ha.Reachable) && !n.gateway.reach().lacks() &&
		!n.leaving.asked && n.role != ha.Fault && !n.refused()
}

// rank returns this node's claim to the role.
func (n *Node) rank() ha.Rank {
	return ha.Rank{
		Able: n.able(), Epoch: n.epoch, Witnessed: n.witnessed, Complete: n.complete, Flows: n.flows,
		Damped: n.hold.Damped(n.now), Priority: n.cfg.Priority, ID: n.cfg.ID,
	}
}
