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

// observe takes what is heard of the peer. holds: this node has the role, or claims it.
func (r *rival) observe(h *hearing, holds bool) {
	r.since = since(r.since, h.now, !h.silent && !h.up)
	r.both = since(r.both, h.now, h.up && !h.live && h.serves() && holds)
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
func (r *rival) deaf(h *hearing) bool {
	if h.silent || !h.serves() || r.granted > 0 && h.now < r.granted.Add(grantLimit) {
		return false
	}
	return h.turned && (h.unheard || !h.up) || !h.up && h.now >= r.since.Add(hearLimit)
}

// stands reports whether both nodes have served for so long that one must give way
// without a stream: it has not come, and may never.
func (r *rival) stands(now clock.Instant) bool {
	return r.both < clock.Never && now >= r.both.Add(hearLimit)
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

// checkRival raises Unheard when the peer serves without hearing this node, and Outranked
// where both claim or serve and there is no stream on which to compare ranks: of two that
// claim at one instant both give it up, and take turns; of two that serve the one with
// the larger id gives it up.
func (n *Node) checkRival(h *hearing) {
	holds := n.role.Holds()
	n.rival.observe(h, holds)
	switch {
	case !holds:
	case n.rival.deaf(h):
		n.raise(ha.Unheard)
	case n.role == ha.Claiming && !h.live && h.serves() && !n.grant.pending,
		n.rival.stands(h.now) && n.cfg.ID > n.cfg.Peer:
		n.raise(ha.Outranked)
	}
}
