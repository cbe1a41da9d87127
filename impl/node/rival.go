package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// rival detects that the peer has taken the role because it does not hear this node: its
// BFD packets arrive, but no session is Up. A MASTER that hears such a peer must stop,
// because the peer cannot know.
type rival struct {
	// since is when the peer was first heard without a session that is Up; Never while a
	// session is Up or the peer is silent.
	since clock.Instant
	// granted is when the peer last gave this node the role; 0 once the peer was heard to
	// have stopped. The peer stops before it grants, so a "serving" in its BFD packets
	// may be older.
	granted clock.Instant
	// both is since when both nodes serve, hear each other and have no stream to resolve
	// it; Never while they do not.
	both clock.Instant
}

func (r *rival) fingerprint(h *fingerprint.Hash) {
	h.Instant(r.since)
	h.Instant(r.granted)
	h.Instant(r.both)
}

// observe takes what is heard of the peer. holds: this node has the role or claims it.
func (r *rival) observe(h *hearing, holds bool) {
	r.since = since(r.since, h.now, !h.silent && !h.up)
	r.both = since(r.both, h.now, h.up && !h.live && h.serves() && holds)
}

// since returns when a condition became true, given its previous value; Never while it is
// false.
func since(was, now clock.Instant, so bool) clock.Instant {
	if !so {
		return clock.Never
	}
	return min(was, now)
}

// deaf reports whether the peer serves without hearing this node. A peer that starts to
// serve while this node can hear it does not hear this node. If both served through a
// partition that heals, the sessions get time to come Up.
func (r *rival) deaf(h *hearing) bool {
	if h.silent || !h.serves() || r.granted > 0 && h.now < r.granted.Add(grantLimit) {
		return false
	}
	return h.turned && (h.unheard || !h.up) || !h.up && h.now >= r.since.Add(hearLimit)
}

// stands reports whether both nodes have served so long without a stream that one must
// yield. The stream may never come.
func (r *rival) stands(now clock.Instant) bool {
	return now >= r.both.Add(hearLimit)
}

// deadline returns when deaf or stands becomes true.
func (r *rival) deadline() clock.Instant {
	return min(r.since, r.both).Add(hearLimit)
}

// observe records the peer's condition on this path. holds: this node has the role or claims it. A peer that
// begins to serve beside it may have ceased to hear it, although its session is still Up. told: the peer's last word on the
// stream is that it does not serve. That counts for a path on which it is not heard, where its word by BFD may have been lost.
func (p *path) observe(now clock.Instant, holds, told bool) {
	switch c := p.condition(now); {
	case c == standby || c == unable:
		p.calm = true
	case !p.heard():
		p.calm = told
	case c == serving && p.bothUp() && !holds:
		p.calm = false // it served before it lost this node
	}
}

// turned reports whether the peer has begun to serve on a path on which it was standby.
func (ps paths) turned(now clock.Instant) bool {
	for i := range ps {
		if ps[i].calm && ps[i].condition(now) == serving {
			return true
		}
	}
	return false
}

// doubtedAlone reports whether the peer has doubted this node since it claimed, and is heard only on paths that have gone down
// since. The peer still counts this node as Up, and will claim: the lease of a lonely node would outlast that.
func (n *Node) doubtedAlone(h *hearing) bool {
	doubts, came := n.paths.doubtTold()
	wentDown := n.rival.since < clock.Never && // heard, and no session is Up
		n.rival.since > n.lease.claimed
	return n.lease.held && !h.speaks && wentDown && doubts && came > n.lease.claimed && !n.arbitration.binds()
}

// checkRival ends the lease if the peer is about to claim. It raises Unheard if the peer serves without hearing this node, and
// Outranked if both claim or serve and have no stream on which to compare ranks. Of two
// nodes that claim at the same time, both give up and take turns. Of two nodes that
// serve, the one with the larger id gives up.
func (n *Node) checkRival(h *hearing) {
	holds := n.role.Holds()
	n.rival.observe(h, holds)
	switch {
	case !holds:
	case n.doubtedAlone(h):
		n.lease.fallBack(h.now)
		n.endLease()
	case n.rival.deaf(h):
		n.raise(ha.Unheard)
	case n.role == ha.Claiming && !h.live && h.serves() && !n.grant.pending,
		n.rival.stands(h.now) && n.cfg.ID > n.cfg.Peer:
		n.raise(ha.Outranked)
	}
}
