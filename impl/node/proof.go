package node

import (
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
)

// proof is what is known of what the peer has heard. The peer claims by silence only once
// every path has been silent for its detection time, so that the latest proof on any path
// bounds the lease.
type proof struct {
	// heard is up to when forwarding is justified by it, decide when it must be known
	// whether a peer from which no new proof comes is deaf or silent.
	heard, decide clock.Instant
	// doubted: the peer asks whether this node is still there, and so late that it has
	// missed a packet after what is proven; or it says that it serves, and not that it hears
	// this node: it is not dead, whatever else its silence means.
	doubted bool
	// staleAt is when a node with an arbiter asks it if no newer proof has arrived.
	staleAt clock.Instant
}

// proven is until when the peer's acknowledgements alone justify forwarding.
func (p proof) proven() clock.Instant {
	if p.heard == clock.Never {
		return 0 // nothing asks the peer
	}
	return p.heard
}

// unasked is the proof where nothing asks the peer: it bounds nothing.
var unasked = proof{heard: clock.Never, decide: clock.Never}

// decideShare is the part of the peer's detection time, from the last proof on, after
// which a peer that does not hear this node has said so: it is overdue after 1.125
// intervals and asks by its next packet, which makes 2.125 of 3. What is left of the
// lease is for a node that is late.
const decideShare = 0.76

// doubted returns when the peer said last, by a path that is Up, whether it hears this node, or
// by one that is not that it does not; and what it said. A peer that is deaf on a path is heard by it.
func (ps paths) doubted() (doubted bool, came clock.Instant) {
	came = -1
	for i := range ps {
		p := &ps[i]
		up := p.session.State() == bfd.Up
		switch {
		case p.came <= came:
		case up:
			doubted, came = p.session.RemotePolls(), p.came
		case p.session.RemoteDiag() == diagDoubt:
			doubted, came = true, p.came
		}
	}
	return doubted, came
}

// proof is the latest of all paths that are Up.
func (ps paths) proof() proof {
	found, missed := unasked, clock.Instant(0)
	for i := range ps {
		p := &ps[i]
		if p.session.State() != bfd.Up {
			continue
		}
		detect := time.Duration(p.BFD.DetectMult) * p.session.TransmitInterval()
		if heard := p.proven.Add(leaseLength(detect)); found.heard == clock.Never || heard > found.heard {
			found.heard, found.decide = heard, p.proven.Add(time.Duration(decideShare*float64(detect)))
			found.staleAt = p.proven.Add(time.Duration(proofStaleAfter * float64(p.session.TransmitInterval())))
			missed = p.proven.Add(p.session.TransmitInterval())
		}
	}
	doubted, came := ps.doubted()
	found.doubted = doubted && found.heard < clock.Never && came > missed
	return found
}

// presume takes what was sent last for heard, where nobody was asked before.
func (p *path) presume() { p.proven = max(p.proven, p.sending.last) }

func (ps paths) presume() {
	for i := range ps {
		ps[i].presume()
	}
}

// justified is up to when forwarding is justified.
func (l *lease) justified(f footing) clock.Instant {
	switch {
	case f.arbitrated:
		return min(f.until, max(f.proven(), f.right))
	case l.trusting:
		return f.until
	}
	return min(f.until, f.heard)
}

// undecided reports whether what was sent justifies more than what is known to be heard,
// and nothing speaks against it yet.
func (l *lease) undecided(f footing) bool {
	return !f.arbitrated && !l.trusting && !f.doubted && f.until > l.until
}

// decide settles whether what was sent counts as heard. A peer that is silent may be dead,
// and must not cost this node its role; one that doubts does not hear it. A doubt may come
// after the decision, or be read after it where this node was paused: the lease then falls
// back to what is proven, and decide reports that it did.
func (l *lease) decide(now clock.Instant, f footing) (fell bool) {
	switch {
	case now < f.decide:
		l.trusting = false
	case !f.doubted:
		l.trusting = true
	case l.trusting:
		l.trusting = false
		fell = l.held && l.justified(f) < l.until
		l.fallBack(l.justified(f))
	}
	return fell
}

// ask has the sessions ask the peer whether it hears this node: always while this node
// holds the role, whose lease the answers renew. A node that does not hold it asks, and
// says by it that it hears nothing, while the peer is overdue, for the first time at once.
// With an arbiter it always asks: after a claim by grant, only fresh proof justifies a lease.
func (n *Node) ask() {
	began := !n.doubting
	n.doubting = !n.role.Holds() && n.now >= n.overdueAt()
	asks := n.role.Holds() || n.doubting || n.arbitration.on
	for i := range n.paths {
		s := n.paths[i].session
		s.SetAsking(asks)
		if n.doubting && began && s.State() == bfd.Up {
			s.Urge(n.now)
		}
	}
}

// overdueAt is when the peer will have been silent on every path that is Up and on the
// stream for longer than it ever is while it is heard; Never where no path is Up.
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

// doubtWait returns when a node without the role next needs a Timer to doubt its peer.
func (n *Node) doubtWait() clock.Instant {
	if n.role.Holds() || n.doubting {
		return clock.Never
	}
	return n.future(n.overdueAt())
}
