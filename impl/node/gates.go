package node

import (
	"strings"

	"baton/impl/clock"
	"baton/impl/ctsync"
	"baton/impl/ha"
)

// gateSet is which gates are open. Why each is as it is says judge.
type gateSet struct {
	open   ha.Gates
	judged bool // once at least
}

// why is the reason for a gate's state. It is put into words only when somebody
// reads it: gates are judged at each step.
type why struct {
	text string // where it has a %s, that is the peer's role
	role ha.Role
	sync ctsync.Reason // of the sync engine, where that is who judges
}

func (w why) String() string {
	if w.text == "" {
		return w.sync.String()
	}
	return strings.Replace(w.text, "%s", w.role.String(), 1)
}

// updateGates judges every gate anew, traces those that changed, and raises
// GatesChanged if any did.
func (n *Node) updateGates() {
	var open ha.Gates
	for gate := range ha.AllGates.Each() {
		is, why := n.judge(gate)
		open = open.With(gate, is)
		if is != n.gates.open.Has(gate) || !n.gates.judged {
			n.traceGate(gate, is, why.String())
		}
	}
	n.gates.judged = true
	if open != n.gates.open {
		n.gates.open = open
		n.raise(ha.GatesChanged)
	}
}

// judge says whether a gate is open, and why.
func (n *Node) judge(gate ha.Gates) (bool, why) {
	switch gate {
	case ha.LinksUp:
		return n.judgeLinks()
	case ha.DataplaneReady:
		if !n.dataplane.Ready {
			return false, why{text: n.dataplane.Why}
		}
		return true, why{text: "attached"}
	case ha.Reachable:
		return n.judgeReachable()
	case ha.Arbitrated:
		return true, why{text: "no arbiter is configured"}
	case ha.NoMaster:
		return n.judgeNoMaster()
	case ha.HoldDown:
		return n.judgeHold()
	case ha.InSync:
		return n.judgeInSync()
	case ha.Degraded:
		return n.judgeDegraded()
	case ha.Granted:
		return n.judgeGranted()
	default: // ha.PeerReady
		return n.canTakeOver()
	}
}

func (n *Node) judgeLinks() (bool, why) {
	for _, name := range n.cfg.Links {
		if !n.links[name] {
			return false, why{text: name + " has no carrier"}
		}
	}
	return true, why{text: "carrier on every service link"}
}

func (n *Node) judgeNoMaster() (bool, why) {
	p := n.peer.state
	switch {
	case n.leaving.asked:
		return false, why{text: "this node is leaving"}
	case n.silent() && n.now < n.awake && !n.cfg.GatesOff:
		return false, why{text: "peer is silent, but this node has not listened for long enough: it booted, was paused, or has just been told of a MASTER"}
	case n.silent():
		return true, why{text: "peer is silent on every BFD path"}
	case !n.anyUp():
		return false, why{text: "peer is heard but no BFD path is up"}
	case !n.peer.known:
		return false, why{text: "peer is heard but its role is unknown: no sync stream yet"}
	case p.Role.Holds() && n.cfg.Preempt == PreemptImmediate && n.outranks():
		return true, why{text: "preempt: immediate"}
	case p.Role.Holds():
		return false, why{text: "peer is %s", role: p.Role}
	case !n.outranks():
		return false, why{text: "peer is %s and ranks above", role: p.Role}
	case !n.rankKnown() && !n.cfg.GatesOff:
		return false, why{text: "peer is %s and ranks below, but does not know this node's rank yet", role: p.Role}
	}
	return true, why{text: "peer is %s and ranks below", role: p.Role}
}

func (n *Node) judgeHold() (bool, why) {
	switch {
	case n.cfg.GatesOff:
		return true, why{text: "gates: off"}
	case n.now >= n.hold.Ends():
		return true, why{text: "recovery delay has run"}
	case n.stall.open(n):
		return true, why{text: "waived: peer was heard after the stall and is not MASTER"}
	}
	return false, why{text: "recovery delay is running"}
}

// judgeInSync: the table is what the last MASTER's was. While the MASTER lives,
// the sync engine knows. Once it is gone, what counts is whether the table was
// complete when the stream ended, and that this was not long before the silence.
func (n *Node) judgeInSync() (bool, why) {
	p := n.peer.state
	switch {
	case n.cfg.GatesOff:
		return true, why{text: "gates: off"}
	case n.role.Holds():
		return true, why{text: "this node's table is the truth"}
	case n.silent() || !n.peer.known:
		return n.judgeSyncAlone()
	case p.Role.Holds():
		return n.judgeSyncWithMaster()
	case p.Rank.Epoch > n.epoch:
		return false, why{text: "peer has a newer table"}
	}
	if p.Rank.Epoch == n.epoch && p.Rank.Complete && !n.complete {
		return false, why{text: "peer has a more complete table"}
	}
	return true, why{text: "peer has nothing newer to give"}
}

// judgeDegraded: a table that nobody is left to complete must not keep a node from
// serving. Only a MASTER gives its table.
func (n *Node) judgeDegraded() (bool, why) {
	switch p := n.peer.state; {
	case n.silent():
		return true, why{text: "peer is silent: nobody can complete this table"}
	case n.peer.known && !p.Role.Holds() && !p.Rank.Able:
		return true, why{text: "peer cannot serve: nobody can complete this table"}
	}
	return false, why{text: "peer is heard"}
}

func (n *Node) judgeSyncAlone() (bool, why) {
	if n.seen == 0 {
		return true, why{text: "no MASTER was ever heard of"}
	}
	if !n.complete {
		return false, why{text: "peer was lost before sync was complete"}
	}
	return true, why{text: "in sync when the peer was lost"}
}

func (n *Node) judgeSyncWithMaster() (bool, why) {
	if !n.stream.up && n.now >= n.staleAt() {
		return false, why{text: "sync stream is down while the peer is MASTER"}
	}
	in, reason := n.sync.InSync()
	return in, why{sync: reason}
}

// staleAt is when a table counts as stale because its stream is down while the MASTER lives.
func (n *Node) staleAt() clock.Instant {
	if n.stream.up || n.role.Holds() || !n.peer.known || !n.peer.state.Role.Holds() {
		return clock.Never
	}
	return n.peer.lostAt.Add(staleAfter)
}

func (n *Node) judgeGranted() (bool, why) {
	switch {
	case n.leaving.asked:
		return false, why{text: "this node is leaving"}
	case n.grant == nil:
		return false, why{text: "no grant"}
	case n.sync.AppliedSeq() < n.grant.Barrier:
		return false, why{text: "granted; what the MASTER sent last is not applied yet"}
	}
	return true, why{text: "granted by the MASTER"}
}

// noteSync takes over epoch and completeness of the table from the sync engine: a
// follower that is in sync holds the MASTER's table, one that is not holds neither
// its own nor the MASTER's.
func (n *Node) noteSync() {
	if n.role.Holds() || !n.peer.known || !n.peer.state.Role.Holds() {
		return
	}
	in, _ := n.judgeSyncWithMaster()
	switch {
	case in:
		n.epoch, n.complete = n.peer.state.Rank.Epoch, true
	case n.stream.up || n.now >= n.staleAt():
		n.complete = false
	}
}

func (n *Node) holdWants() clock.Instant {
	if ends := n.hold.Ends(); n.now < ends {
		return ends
	}
	return clock.Never
}

func (n *Node) staleWants() clock.Instant {
	if at := n.staleAt(); n.now < at {
		return at
	}
	return clock.Never
}
