package node

import (
	"slices"

	"baton/impl/bfd"
	"baton/impl/clock"
)

// condition is what a peer reports in the diagnostic of its BFD packets about the path
// through it, that is, about its service. It needs no stream, and it arrives even if only
// one direction of one path is left. RFC 5880 section 6.8.17 has two diagnostics for a path
// behind a system. A diagnostic of the session itself says nothing about the service.
type condition uint8

const (
	unknown condition = iota
	serving           // it has the MASTER role or is about to take it
	standby           // it could serve but does not
	unable            // it cannot serve
)

// diagOf maps a condition to its diagnostic. A node that could serve sends diagDoubt while it
// doubts its peer.
var diagOf = [...]bfd.Diag{
	unknown: neverSaid, serving: bfd.DiagNone, standby: bfd.DiagReverseConcatenatedPathDown, unable: bfd.DiagConcatenatedPathDown,
}

const (
	diagDoubt = bfd.DiagPathDown
	neverSaid = bfd.Diag(0xff) // a diagnostic has five bits
)

func conditionOf(diag bfd.Diag) condition {
	if diag == diagDoubt {
		return standby
	}
	return condition(max(0, slices.Index(diagOf[:], diag)))
}

// condition returns what the peer said last on any path on which it is heard, and when. A
// packet on a path that is not Up may have waited while this node was paused, so it does not
// override "serving" from a path that is Up. A peer that has withdrawn from a path since is leaving:
// what it said before on another path, where its withdrawal is still on its way, is out of date.
func (ps paths) condition(now clock.Instant) (said condition, latest clock.Instant) {
	left := ps.withdrew()
	said, latest = ps.latest(now, func(p *path) bool { return p.session.State() == bfd.Up })
	if said == serving && latest > left {
		return said, latest
	}
	said, latest = ps.latest(now, (*path).heard)
	if latest >= 0 && latest <= left {
		return unable, left
	}
	return said, latest
}

// withdrew returns when the peer last withdrew from a path; -1 if it has not.
func (ps paths) withdrew() clock.Instant {
	at := clock.Instant(-1)
	for i := range ps {
		if p := &ps[i]; p.session.RemoteState() == bfd.AdminDown {
			at = max(at, p.came)
		}
	}
	return at
}

// latest returns what the peer said last on the paths that satisfy on, and when.
func (ps paths) latest(now clock.Instant, on func(*path) bool) (said condition, latest clock.Instant) {
	latest = -1
	for i := range ps {
		if p := &ps[i]; on(p) && p.came > latest {
			said, latest = p.condition(now), p.came
		}
	}
	return said, latest
}

// unheard reports whether the peer says that it serves on some path, but on none that is Up.
func (ps paths) unheard(now clock.Instant) bool {
	said := false
	for i := range ps {
		switch {
		case ps[i].condition(now) != serving:
		case ps[i].bothUp():
			return false
		default:
			said = true
		}
	}
	return said
}

// condition returns what the peer said last on the path. It expires after the longest time
// that the peer may take to say it again. That time is less than the detection time of a
// session that is not Up.
func (p *path) condition(now clock.Instant) condition {
	if !p.heard() || p.session.State() != bfd.Up && now >= p.came.Add(bootListen) {
		return unknown
	}
	return conditionOf(p.session.RemoteDiag())
}

// sayRetries is how often a condition is sent again if its packet did not leave.
const sayRetries = 3

// say sets the diagnostic for the peer, and reports whether it is a new one.
func (p *path) say(now clock.Instant, diag bfd.Diag) bool {
	if p.said == diag || p.session.State() == bfd.AdminDown {
		return false
	}
	p.said, p.told, p.retries = diag, now, sayRetries
	// SetPathSignal accepts diagDoubt and every diagnostic of diagOf.
	_ = p.session.SetPathSignal(now, diag)
	return true
}

// peerCondition is what the peer said last about its service, by BFD or on its stream. A
// node that knows only protocol version 1 sends no condition by BFD. A node that is
// configured to speak version 1 does.
func (n *Node) peerCondition() condition {
	said, at := n.paths.condition(n.now)
	if n.stream.version != 0 && n.stream.version < versionKeepalive && !n.peer.signals {
		said, at = unknown, -1
	}
	if n.live() && n.peer.saidAt >= at {
		return conditionIn(n.peer.state)
	}
	return said
}

// conditionIn derives the condition from a state.
func conditionIn(s state) condition {
	switch {
	case s.Role.Holds():
		return serving
	case s.Rank.Able:
		return standby
	}
	return unable
}

// condition returns this node's own condition.
func (n *Node) condition() condition {
	switch {
	case n.role.Holds() && n.now >= n.install.quiet, n.grant.pending: // the node that gave the role must not take it back meanwhile
		return serving
	case n.able():
		return standby
	}
	return unable
}

// sayCondition signals this node's condition if it has changed.
func (n *Node) sayCondition() {
	condition := n.condition()
	for i := range n.paths {
		diag := diagOf[condition]
		if n.doubting && condition == standby {
			diag = diagDoubt
		}
		if n.paths[i].say(n.now, diag) {
			n.pumpPath(i)
		}
	}
}
