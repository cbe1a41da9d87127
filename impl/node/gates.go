package node

import (
	"baton/impl/clock"
	"baton/impl/ha"
)

// gateSet is which gates are open, and why each is as it is.
type gateSet struct {
	open ha.Gates
	why  map[ha.Gates]string
}

// updateGates judges every gate anew, traces those that changed, and raises
// GatesChanged if any did.
func (n *Node) updateGates() {
	if n.gates.why == nil {
		n.gates.why = map[ha.Gates]string{}
	}
	var open ha.Gates
	for _, gate := range ha.AllGates.Each() {
		is, why := n.judge(gate)
		open = open.With(gate, is)
		changed := is != n.gates.open.Has(gate) || n.gates.why[gate] == ""
		n.gates.why[gate] = why
		if changed {
			n.traceGate(gate, is, why)
		}
	}
	if open != n.gates.open {
		n.gates.open = open
		n.raise(ha.GatesChanged)
	}
}

// judge says whether a gate is open, and why.
func (n *Node) judge(gate ha.Gates) (bool, string) {
	switch gate {
	case ha.LinksUp:
		return n.judgeLinks()
	case ha.DataplaneReady:
		if !n.dataplane.Ready {
			return false, n.dataplane.Why
		}
		return true, "attached"
	case ha.Reachable:
		return true, "no target is tracked"
	case ha.Arbitrated:
		return true, "no arbiter is configured"
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

func (n *Node) judgeLinks() (bool, string) {
	for _, name := range n.cfg.Links {
		if !n.links[name] {
			return false, name + " has no carrier"
		}
	}
	return true, "carrier on every service link"
}

func (n *Node) judgeNoMaster() (bool, string) {
	p := n.peer.state
	switch {
	case n.leaving.asked:
		return false, "this node is leaving"
	case n.silent() && n.now < n.awake && !n.cfg.GatesOff:
		return false, "peer is silent, but this node has not listened for long enough: it booted or was paused"
	case n.silent():
		return true, "peer is silent on every BFD path"
	case !n.anyUp():
		return false, "peer is heard but no BFD path is up"
	case !n.peer.known:
		return false, "peer is heard but its role is unknown: no sync stream yet"
	case p.Role.Holds() && n.cfg.Preempt == PreemptImmediate && n.outranks():
		return true, "preempt: immediate"
	case p.Role.Holds():
		return false, "peer is " + p.Role.String()
	case !n.outranks():
		return false, "peer is " + p.Role.String() + " and ranks above"
	}
	return true, "peer is " + p.Role.String() + " and ranks below"
}

func (n *Node) judgeHold() (bool, string) {
	switch {
	case n.cfg.GatesOff:
		return true, "gates: off"
	case n.now >= n.hold.Ends():
		return true, "recovery delay has run"
	case n.stall.open(n):
		return true, "waived: peer was heard after the stall and is not MASTER"
	}
	return false, "recovery delay is running"
}

// judgeInSync: the table is what the last MASTER's was. While the MASTER lives,
// the sync engine knows. Once it is gone, what counts is whether the table was
// complete when the stream ended, and that this was not long before the silence.
func (n *Node) judgeInSync() (bool, string) {
	p := n.peer.state
	switch {
	case n.cfg.GatesOff:
		return true, "gates: off"
	case n.role.Holds():
		return true, "this node's table is the truth"
	case n.silent() || !n.peer.known:
		return n.judgeSyncAlone()
	case p.Role.Holds():
		return n.judgeSyncWithMaster()
	case p.Rank.Epoch > n.epoch:
		return false, "peer has a newer table"
	}
	if p.Rank.Epoch == n.epoch && p.Rank.Complete && !n.complete {
		return false, "peer has a more complete table"
	}
	return true, "peer has nothing newer to give"
}

// judgeDegraded: a table that nobody is left to complete must not keep a node from
// serving. Only a MASTER gives its table.
func (n *Node) judgeDegraded() (bool, string) {
	switch p := n.peer.state; {
	case n.silent():
		return true, "peer is silent: nobody can complete this table"
	case n.peer.known && !p.Role.Holds() && !p.Rank.Able:
		return true, "peer cannot serve: nobody can complete this table"
	}
	return false, "peer is heard"
}

func (n *Node) judgeSyncAlone() (bool, string) {
	if n.seen == 0 {
		return true, "no MASTER was ever heard of"
	}
	if !n.complete {
		return false, "peer was lost before sync was complete"
	}
	return true, "in sync when the peer was lost"
}

func (n *Node) judgeSyncWithMaster() (bool, string) {
	if !n.stream.up && n.now >= n.staleAt() {
		return false, "sync stream is down while the peer is MASTER"
	}
	return n.sync.InSync()
}

// staleAt is when a table counts as stale because its stream is down while the MASTER lives.
func (n *Node) staleAt() clock.Instant {
	if n.stream.up || n.role.Holds() || !n.peer.known || !n.peer.state.Role.Holds() {
		return clock.Never
	}
	return n.peer.lostAt.Add(staleAfter)
}

func (n *Node) judgeGranted() (bool, string) {
	switch {
	case n.leaving.asked:
		return false, "this node is leaving"
	case n.grant == nil:
		return false, "no grant"
	case n.sync.AppliedSeq() < n.grant.Barrier:
		return false, "granted; what the MASTER sent last is not applied yet"
	}
	return true, "granted by the MASTER"
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
