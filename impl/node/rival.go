package node

import (
	"baton/impl/clock"
	"baton/impl/ha"
)

// rival finds out that the peer has taken the role because it does not hear this node:
// its BFD packets come, but no session is Up. A MASTER that hears such a peer must stop,
// because the peer cannot know better.
type rival struct {
	// calm: the peer was heard to stand by, and has not been silent since.
	calm bool
	// since is when it was first heard without a session that is Up, Never while one is.
	since clock.Instant
	// granted is when the peer last gave this node the role, 0 once it was heard to have
	// stopped. It has stopped then, and what BFD says of it may be older.
	granted clock.Instant
}

// rivalInput is what BFD says of the peer.
type rivalInput struct {
	now        clock.Instant
	up, silent bool
	condition  condition
	// unheard: the peer says that it serves, and on no path that is Up. It says so on
	// every path at once, so that those are Up for no longer than a detection.
	unheard bool
}

func (r *rival) observe(in rivalInput) {
	switch {
	case in.silent:
		*r = rival{since: clock.Never, granted: r.granted}
		return
	case in.up:
		r.since = clock.Never
	default:
		r.since = min(r.since, in.now)
	}
	if in.condition == standby || in.condition == unable {
		r.calm, r.granted = true, 0
	}
}

// deaf reports whether the peer serves without hearing this node. One that took the
// role before this node's eyes cannot have heard it. Where both served through a
// partition that heals, the sessions get the time to come Up.
func (r *rival) deaf(in rivalInput) bool {
	if in.silent || in.condition != serving || r.granted > 0 && in.now < r.granted.Add(grantLimit) {
		return false
	}
	return r.calm && (in.unheard || !in.up) || !in.up && in.now >= r.since.Add(hearLimit)
}

// deadline returns when a partition that healed in one direction alone is recognised.
func (r *rival) deadline() clock.Instant {
	if r.since == clock.Never {
		return clock.Never
	}
	return r.since.Add(hearLimit)
}

func (n *Node) rivalInput() rivalInput {
	return rivalInput{now: n.now, up: n.paths.anyUp(), silent: n.paths.silent(), condition: n.peerCondition(), unheard: n.paths.unheard()}
}

// checkRival raises Unheard when the peer serves without hearing this node.
func (n *Node) checkRival() {
	in := n.rivalInput()
	n.rival.observe(in)
	if n.role.Holds() && n.rival.deaf(in) {
		n.raise(ha.Unheard)
	}
}
