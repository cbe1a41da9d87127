package node

import (
	"baton/impl/clock"
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
}

// rivalInput is what BFD says of the peer.
type rivalInput struct {
	now        clock.Instant
	up, silent bool
	serves     bool // so it says
	// turned: on a path on which it was heard to stand by it has begun to serve. Paths
	// are told apart because a packet on one may be overtaken on another.
	turned bool
	// unheard: the peer says that it serves, and on no path that is Up. It says so on
	// every path at once, so that those are Up for no longer than a detection.
	unheard bool
}

func (r *rival) observe(in rivalInput) {
	if in.silent || in.up {
		r.since = clock.Never
		return
	}
	r.since = min(r.since, in.now)
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

// deadline returns when a partition that healed in one direction alone is recognised.
func (r *rival) deadline() clock.Instant {
	if r.since == clock.Never {
		return clock.Never
	}
	return r.since.Add(hearLimit)
}

// observe notes what the peer says of its service on this path.
func (p *path) observe() {
	switch p.condition() {
	case standby, unable:
		p.calm = true
	case serving:
	default:
		if !p.heard() {
			p.calm = false
		}
	}
}

// turned reports whether the peer has begun to serve on a path on which it stood by.
func (ps paths) turned() bool {
	for i := range ps {
		if ps[i].calm && ps[i].condition() == serving {
			return true
		}
	}
	return false
}

func (n *Node) rivalInput() rivalInput {
	return rivalInput{now: n.now, up: n.paths.anyUp(), silent: n.paths.silent(),
		serves: n.peerCondition() == serving, turned: n.paths.turned()}
}

// checkRival raises Unheard when the peer serves without hearing this node.
func (n *Node) checkRival() {
	for i := range n.paths {
		n.paths[i].observe()
	}
	in := n.rivalInput()
	n.rival.observe(in)
	if n.role.Holds() && n.rival.deaf(in) {
		n.raise(ha.Unheard)
	}
}
