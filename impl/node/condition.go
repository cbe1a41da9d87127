package node

import (
	"slices"

	"baton/impl/bfd"
	"baton/impl/clock"
)

// condition is what a peer says of its service in the diagnostic of its BFD packets:
// whether the path through it works. It needs no stream, and it passes where only one
// direction of one path is left. RFC 5880 section 6.8.17 has two diagnostics for a
// path that lies behind a system; a diagnostic of the session itself says nothing here.
type condition uint8

const (
	unknown condition = iota
	serving           // it has the MASTER role, or is about to take it
	standby           // it could serve and does not
	unable            // it cannot serve
)

// diagOf is how a condition is said. A node that could serve says diagDoubt on paths that
// are not Up while it doubts its peer: on those a Poll may be that of a changed interval.
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

// condition returns what the peer said last, on whatever path it is heard, and when. What it
// says on a path that is not Up may have waited while this node was paused: it does not
// contradict a peer that says on one that is Up that it serves.
func (ps paths) condition(now clock.Instant) (said condition, latest clock.Instant) {
	said, latest = ps.latest(now, func(p *path) bool { return p.session.State() == bfd.Up })
	if said == serving {
		return said, latest
	}
	return ps.latest(now, (*path).heard)
}

// latest returns what the peer said last on some of the paths, and when.
func (ps paths) latest(now clock.Instant, on func(*path) bool) (said condition, latest clock.Instant) {
	latest = -1
	for i := range ps {
		if p := &ps[i]; on(p) && p.came > latest {
			said, latest = p.condition(now), p.came
		}
	}
	return said, latest
}

// unheard reports whether the peer says that it serves, on some path and on none that is Up.
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

// condition returns what the peer said last on the path. It counts for as long as the
// peer may take to say it again, which is less than the detection time of a session that
// is not Up.
func (p *path) condition(now clock.Instant) condition {
	if !p.heard() || p.session.State() != bfd.Up && now >= p.came.Add(bootListen) {
		return unknown
	}
	return conditionOf(p.session.RemoteDiag())
}

// sayRetries is how often a condition is sent again that does not leave.
const sayRetries = 3

// say tells the peer this node's condition, and reports whether it is news.
func (p *path) say(now clock.Instant, diag bfd.Diag) bool {
	if p.said == diag || p.session.State() == bfd.AdminDown {
		return false
	}
	p.said, p.told, p.retries = diag, now, sayRetries
	// The diagnostics of diagOf are the ones that may be signalled, and diagDoubt.
	_ = p.session.SetPathSignal(now, diag)
	return true
}

// peerCondition is what the peer said last of its service, by BFD or on its stream. A
// node that knows no protocol but version 1 says nothing of the kind by BFD; one that is
// held to it by its configuration does.
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

// conditionIn is what a state says.
func conditionIn(s state) condition {
	switch {
	case s.Role.Holds():
		return serving
	case s.Rank.Able:
		return standby
	}
	return unable
}

// condition returns this node's own.
func (n *Node) condition() condition {
	switch {
	case n.role.Holds(), n.grant.pending: // who gave the role must not take it back meanwhile
		return serving
	case n.able():
		return standby
	}
	return unable
}

// sayCondition tells the peer of a condition that has changed.
func (n *Node) sayCondition() {
	condition := n.condition()
	for i := range n.paths {
		diag := diagOf[condition]
		if n.doubting && condition == standby && n.paths[i].session.State() != bfd.Up {
			diag = diagDoubt
		}
		if n.paths[i].say(n.now, diag) {
			n.pumpPath(i)
		}
	}
}
