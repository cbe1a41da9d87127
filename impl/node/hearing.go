package node

import "baton/impl/clock"

// hearing is what this node hears of the peer at one instant. It is gathered once, for the
// gates and for the detection of two MASTERs or none.
type hearing struct {
	now    clock.Instant
	up     bool // a BFD session is Up
	silent bool // nothing is heard, on any path or on the stream
	speaks bool // the peer speaks on the stream
	live   bool // and its role is known from it
	// condition is what the peer said last of its service.
	condition condition
	// turned: on one path the peer stood by before and serves now. Paths are compared with
	// themselves only, because a packet on one may overtake a packet on another.
	turned bool
	// unheard: the peer says that it serves, and on no path that is Up. It says so on
	// every path at once, so that those are Up for no longer than a detection.
	unheard bool
}

// serves reports whether the peer says that it serves.
func (h *hearing) serves() bool { return h.condition == serving }

// hear notes what the peer says of its service on each path, and gathers all.
func (n *Node) hear() hearing {
	for i := range n.paths {
		n.paths[i].observe(n.now)
		if c := n.paths[i].condition(n.now); c == standby || c == unable {
			n.peer.signals = true
			n.rival.granted = 0
		}
	}
	return hearing{now: n.now, up: n.paths.anyUp(), silent: n.silent(), speaks: n.streamLive(), live: n.live(),
		condition: n.peerCondition(), turned: n.paths.turned(n.now), unheard: n.paths.unheard(n.now)}
}
