package node

import (
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
)

// proof is what this node knows about which of its packets the peer has heard. The peer claims by
// silence only once every path has been silent for its detection time, so the latest proof on any path
// bounds the lease.
type proof struct {
	// heard is the limit of forwarding by proof. At decide, a peer that sends no new proof must be
	// known as deaf or silent.
	heard, decide clock.Instant
	// doubted is when the peer last asked whether this node is still there, so late that it has missed a
	// packet after the last proven one; the present, if it says that it serves, but not that it hears this
	// node; or 0. A peer that doubts is not dead.
	doubted clock.Instant
	// staleAt is when a node with an arbiter asks it if no newer proof has arrived.
	staleAt clock.Instant
}

// proven is how long the peer's acknowledgements alone justify forwarding.
func (p proof) proven() clock.Instant {
	if p.heard == clock.Never {
		return 0 // no Poll asks the peer
	}
	return p.heard
}

// unasked is the proof if no Poll asks the peer: it bounds nothing.
var unasked = proof{heard: clock.Never, decide: clock.Never}

// decideShare is the part of the peer's detection time, counted from the last proof, after which a
// peer that does not hear this node has said so. This node is overdue after 1.125 intervals and the
// peer asks in its next packet, so after 2.125 of 3. The rest of the lease is a margin for a late
// node.
const decideShare = 0.76

// doubtsByPoll reports whether a Poll on this path is a doubt. It is one if the path is Up and the peer
// does not send diagDoubt, because its version does not know it or because it says that it cannot serve.
// On a path that is not Up, a Poll may only announce a changed interval; nodes with an arbiter poll at
// all times; and the last Poll of a former MASTER may still wait for its answer.
func (p *path) doubtsByPoll() bool {
	return p.session.State() == bfd.Up && !p.polls && (!p.tells || conditionOf(p.session.RemoteDiag()) == unable)
}

// doubted returns the peer's latest statement on whether it hears this node, and when it came. On a
// path that is not Up, only a doubt is a statement: this node hears a deaf peer there.
func (ps paths) doubted() (doubted bool, came clock.Instant) {
	came = -1
	for i := range ps {
		p := &ps[i]
		doubts := p.session.RemoteDiag() == diagDoubt || p.doubtsByPoll() && p.session.RemotePolls()
		if p.came > came && (doubts || p.session.State() == bfd.Up) {
			doubted, came = doubts, p.came
		}
	}
	return doubted, came
}

// doubtTold reports whether a peer that is heard by BFD alone says by diagDoubt that it does not hear this node. A Poll
// says less: each packet of a former MASTER may be one.
func (n *Node) doubtTold() bool {
	doubts, _ := n.paths.doubtTold()
	return doubts && !n.live() && !n.silent()
}

// doubtTold reports whether the peer's last packet, on any path, carries diagDoubt, and when it came.
func (ps paths) doubtTold() (doubts bool, came clock.Instant) {
	came = -1
	for i := range ps {
		if p := &ps[i]; p.came > came {
			doubts, came = p.session.RemoteDiag() == diagDoubt, p.came
		}
	}
	return doubts, came
}

// proof returns the latest proof of all paths that are Up.
func (ps paths) proof() proof {
	found := unasked
	var missed clock.Instant
	for i := range ps {
		p := &ps[i]
		if p.session.State() != bfd.Up {
			continue
		}
		interval := p.session.TransmitInterval()
		detect := time.Duration(p.BFD.DetectMult) * interval
		if heard := p.proven.Add(leaseLength(detect)); found.heard == clock.Never || heard > found.heard {
			found.heard, found.decide = heard, p.proven.Add(time.Duration(decideShare*float64(detect)))
			found.staleAt = p.proven.Add(time.Duration(proofStaleAfter * float64(interval)))
			missed = p.proven.Add(interval)
		}
	}
	if doubted, came := ps.doubted(); doubted && found.heard < clock.Never && came > missed {
		found.doubted = came
	}
	return found
}

// presume counts the last sent packet as heard, on a path that comes Up or on which this node begins to poll.
func (p *path) presume() { p.proven = max(p.proven, p.sending.last) }

// justified returns how long the footing justifies forwarding.
func (l *lease) justified(f footing) clock.Instant {
	switch {
	case f.arbitrated:
		return min(f.until, max(f.proven(), f.right))
	case l.trusting && f.spoken > 0:
		// A peer that speaks on the stream is not dead. It may not doubt because it hears this node there alone.
		return min(f.until, max(f.heard, f.spoken))
	case l.trusting:
		return f.until
	}
	return min(f.until, f.heard)
}

// undecided reports whether sent packets would justify a longer lease than proof does, and nothing
// contradicts them yet.
func (l *lease) undecided(f footing) bool {
	return !f.arbitrated && !l.trusting && !l.doubted(f) && f.until > l.until
}

// doubted reports whether the peer has doubted since this node claimed. A doubt from before says nothing
// about what the claim sends.
func (l *lease) doubted(f footing) bool { return f.doubted > l.claimed }

// decide settles whether sent packets count as heard. A silent peer may be dead and must not cost this
// node its role. A peer that doubts does not hear this node. A doubt may come after the decision, or a
// paused node may read it late. The lease then falls back to what is proven, and decide reports that.
func (l *lease) decide(now clock.Instant, f footing) (fell bool) {
	switch {
	case now < f.decide:
		l.trusting = false
	case !l.doubted(f):
		l.trusting = true
	case l.trusting:
		l.trusting = false
		fell = l.held && l.justified(f) < l.until
		l.fallBack(l.justified(f))
	}
	return fell
}

// ask sets whether the sessions poll the peer, that is, ask whether it hears this node. A node without the role
// that finds its peer overdue says at once, by diagDoubt, that it hears nothing.
func (n *Node) ask() {
	n.doubting = !n.role.Holds() && n.now >= n.overdueAt()
	for i := range n.paths {
		n.paths[i].ask(n.polls(&n.paths[i]))
	}
}

// ask sets whether the session polls. As it begins to, the last packet counts as heard, so that an older
// doubt does not count.
func (p *path) ask(polls bool) {
	if polls && !p.asks {
		p.presume()
	}
	p.asks = polls
	p.session.SetAsking(polls)
}

// polls reports whether this node polls on a path. One that could serve always does, so that its claim counts on
// fresh proof, and so does each node with an arbiter. One whose Poll the peer may take for a doubt polls only while
// it holds the role, or doubts.
func (n *Node) polls(p *path) bool {
	return n.role.Holds() || n.doubting || n.arbitration.on || p.tells && n.able()
}

// reassure ends a doubt with the packet that ends it, so that the peer learns of it before its lease ends. A doubt
// begins in advance: a packet that came in time may wait behind the one that is taken.
func (n *Node) reassure() {
	if n.doubting && n.now < n.overdueAt() {
		n.ask()
	}
}

// overdueAt is when the peer will have been silent, on every path that is Up and on the stream, for
// longer than it ever is while it is heard; Never if no path is Up.
func (n *Node) overdueAt() clock.Instant {
	at := clock.Never
	for i := range n.paths {
		if s := n.paths[i].session; s.State() == bfd.Up {
			due := s.LastReceived().Add(s.ReceiveInterval() * 9 / 8)
			if at == clock.Never || due > at {
				at = due
			}
		}
	}
	if at < clock.Never && n.stream.version >= versionKeepalive && n.streamLive() {
		at = max(at, n.stream.heard.Add(n.peer.state.Detect/2))
	}
	return at
}

// doubtWait returns when a node without the role next needs a Timer to doubt its peer: at once, if it has just lost the role
// and the peer is overdue.
func (n *Node) doubtWait() clock.Instant {
	if n.role.Holds() || n.doubting {
		return clock.Never
	}
	return max(n.now, n.overdueAt())
}
