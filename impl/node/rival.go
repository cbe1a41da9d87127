package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// rival finds out that the peer has taken the role because it does not hear this node:
// its BFD packets come, but no session is Up. A MASTER that hears such a peer must stop,
// because the peer cannot know better.
type rival struct {
	// since is when the peer was first heard without a session that is Up, Never while
	// one is, and while it is silent.
	since clock.Instant
	// granted is when the peer last gave this node the role, 0 once it was heard to have
	// stopped. It has stopped then, and what BFD says of it may be older.
	granted clock.Instant
	// both is since when both nodes serve, hear each other and have no stream to settle
	// it on; Never while they do not.
	both clock.Instant
}

func (r *rival) fingerprint(h *fingerprint.Hash) {
	h.Instant(r.since)
	h.Instant(r.granted)
	h.Instant(r.both)
}

// rivalInput is what BFD says of the peer.
type rivalInput struct {
	now        clock.Instant
	up, silent bool
	live       bool // the peer speaks on the stream
	holds      bool // this node has the role, or claims it
	serves     bool // so it says
	// turned: on a path on which it was heard to stand by it has begun to serve. Paths
	// are told apart because a packet on one may be overtaken on another.
	turned bool
	// unheard: the peer says that it serves, and on no path that is Up. It says so on
	// every path at once, so that those are Up for no longer than a detection.
	unheard bool
}

func (r *rival) observe(in rivalInput) {
	r.since = since(r.since, in.now, !in.silent && !in.up)
	r.both = since(r.both, in.now, in.up && !in.live && in.serves && in.holds)
}

// since follows since when something has been so, Never while it is not.
func since(was, now clock.Instant, so bool) clock.Instant {
	if !so {
		return clock.Never
	}
	return min(was, now)
}

// deaf reports whether the peer serves without hearing this node. One that took the
// role before this node's eyes cannot have heard it. Where both served through a
// partition that heals, the sessions get the time to come Up.
func (r *rival) deaf(in rivalInput) bool {
	if in.silent || !in.serves || r.granted > 0 && in.now < r.granted.Add(grantLimit) {
		return false
	}
	return in.turned && (in.unheard || !in.up) || !in.up && in.now >= r.since.Add(hearLimit)
}

// stands reports whether both nodes have served for so long that one must give way
// without a stream: it has not come, and may never.
func (r *rival) stands(in rivalInput) bool {
	return r.both < clock.Never && in.now >= r.both.Add(hearLimit)
}

// deadline returns when one of the two is recognised.
func (r *rival) deadline() clock.Instant {
	first := min(r.since, r.both)
	if first == clock.Never {
		return clock.Never
	}
	return first.Add(hearLimit)
}

// observe notes what the peer says of its service on this path.
func (p *path) observe(now clock.Instant) {
	switch c := p.condition(now); {
	case c == standby || c == unable:
		p.calm = true
	case !p.heard(), c == serving && p.bothUp():
		p.calm = false // it served before this node was lost to it
	}
}

// turned reports whether the peer has begun to serve on a path on which it stood by.
func (ps paths) turned(now clock.Instant) bool {
	for i := range ps {
		if ps[i].calm && ps[i].condition(now) == serving {
			return true
		}
	}
	return false
}

func (n *Node) rivalInput() rivalInput {
	return rivalInput{now: n.now, up: n.paths.anyUp(), silent: n.paths.silent(n.now), live: n.live(), holds: n.role.Holds(),
		serves: n.peerCondition() == serving, turned: n.paths.turned(n.now), unheard: n.paths.unheard(n.now)}
}

// checkRival raises Unheard when the peer serves without hearing this node, and Outranked
// where both claim or serve and there is no stream on which to compare ranks: of two that
// claim at one instant both give it up, and take turns; of two that serve the one with
// the larger id gives it up.
func (n *Node) checkRival() {
	for i := range n.paths {
		n.paths[i].observe(n.now)
		if c := n.paths[i].condition(n.now); c == standby || c == unable {
			n.peer.signals = true
			n.rival.granted = 0
		}
	}
	in := n.rivalInput()
	n.rival.observe(in)
	switch {
	case !in.holds:
	case n.rival.deaf(in):
		n.raise(ha.Unheard)
	case n.role == ha.Claiming && !in.live && in.serves && !n.grant.pending,
		n.rival.stands(in) && n.cfg.ID > n.cfg.Peer:
		n.raise(ha.Outranked)
	}
}
