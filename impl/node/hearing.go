package node

import "baton/impl/clock"

// hearing is what this node hears from the peer at one instant. It is gathered once, for
// the gates and for the checks for two MASTERs or none.
type hearing struct {
	now    clock.Instant
	up     bool // a BFD session is Up
	silent bool // nothing is heard on any path or on the stream
	speaks bool // the peer speaks on the stream
	live   bool // and its role is known from the stream
	// condition is what the peer said last about its service.
	condition condition
	// turned: on one path the peer was standby before and serves now. Each path is
	// compared only with itself, because a packet on one path may overtake a packet on
	// another.
	turned bool
	// unheard: the peer says that it serves, but on no path that is Up. It says so on
	// every path at once, so such paths stay Up for at most one detection time.
	unheard bool
}

// serves reports whether the peer says that it serves.
func (h *hearing) serves() bool { return h.condition == serving }

// hear records the peer's condition on each path and gathers a hearing.
func (n *Node) hear() hearing {
	told := (n.live() || n.now < n.stream.lingers) && !n.peer.state.Role.Holds()
	for i := range n.paths {
		n.paths[i].observe(n.now, n.role.Holds(), told)
		if c := n.paths[i].condition(n.now); c == standby || c == unable {
			n.peer.signals = true
			n.rival.granted = 0
		}
	}
	return hearing{now: n.now, up: n.paths.anyUp(), silent: n.silent(), speaks: n.streamLive(), live: n.live(),
		condition: n.peerCondition(), turned: n.paths.turned(n.now), unheard: n.paths.unheard(n.now)}
}
