package node

import (
	"baton/impl/clock"
	"baton/impl/ha"
)

// yielding is a handover under way on the side of the MASTER that leaves.
type yielding struct {
	began, deadline clock.Instant
	// barrier is the last change that the peer must have applied before the grant,
	// once the dataplane has been drained.
	barrier uint64
	drained bool
}

// pendingGrant is a handover under way on the side of the node that takes over.
type pendingGrant struct {
	grant
	deadline clock.Instant
}

// leaving is the end of a node's life.
type leaving struct {
	asked bool
	until clock.Instant // how long to wait to hear the peer call itself MASTER
	done  bool
}

func (n *Node) startYield() {
	n.yield = yielding{began: n.now, deadline: n.now.Add(yieldLimit)}
	n.emit(Drain{ID: n.nextID(pending{kind: pendingDrain})})
}

func (n *Node) drained() {
	if n.role == ha.Yielding {
		n.yield.drained = true
		n.yield.barrier = n.sync.Barrier()
	}
}

// checkYielded raises HandedOver once the peer has applied all there was, and
// HandoverFailed when it can no longer be expected to.
func (n *Node) checkYielded() {
	if n.role != ha.Yielding || len(n.events) > 0 {
		return
	}
	switch {
	case n.paused > n.yield.began:
		n.raise(ha.LeaseExpired)
	case n.yield.drained && n.stream.up && n.sync.Acked() >= n.yield.barrier:
		n.raise(ha.HandedOver)
	case !n.stream.up || n.now >= n.yield.deadline:
		n.raise(n.yieldFailure())
	}
}

func (n *Node) yieldFailure() ha.Event {
	if n.leaving.asked {
		return ha.Abandoned
	}
	return ha.HandoverFailed
}

// sendGrant gives the role away. From here on the peer counts as holding it,
// until it has answered a state sent after the grant or is silent.
func (n *Node) sendGrant() {
	g := grant{Epoch: n.epoch, Barrier: n.yield.barrier}
	n.emit(SendSync{Data: g.encode()})
	n.peer.granted = n.stream.seq + 1 // the state that Tell sends next
	n.peer.state.Role = ha.Claiming
	n.leaving.until = n.now.Add(leaveLimit)
}

// receiveGrant takes the role that the MASTER gives, provided that it can be
// heard: a grant from before a silence may have been taken back.
func (n *Node) receiveGrant(g grant) {
	if n.role != ha.Backup || !n.anyUp() || g.Epoch < n.seen {
		n.traceNote("grant ignored: not Backup, peer not heard, or epoch gone by")
		return
	}
	n.grant = &pendingGrant{grant: g, deadline: n.now.Add(grantLimit)}
}

// receiveRequest hears the preferred peer ask for the role.
func (n *Node) receiveRequest(data []byte) error {
	if len(data) != requestLen {
		return badLength("request", len(data), requestLen)
	}
	n.raise(ha.HandoverAsked)
	return nil
}

// askForRole asks the MASTER for a handover where this node is preferred and
// everything is ready. It is asked again from time to time: the MASTER may have
// had a reason to refuse.
func (n *Node) askForRole() {
	if !n.wantsRole() || n.now < n.requestAt {
		return
	}
	n.requestAt = n.now.Add(yieldLimit)
	n.emit(SendSync{Data: encodeRequest()})
}

func (n *Node) wantsRole() bool {
	ready := ha.LinksUp | ha.DataplaneReady | ha.Reachable | ha.Arbitrated | ha.HoldDown | ha.InSync
	return n.cfg.Preempt == PreemptAfterSync && n.role == ha.Backup && n.stream.up && n.grant == nil &&
		n.peer.known && n.peer.state.Role == ha.Master && n.cfg.Priority > n.peer.state.Rank.Priority &&
		n.gates.open.Has(ready)
}

// stop begins the node's end.
func (n *Node) stop() {
	if n.leaving.asked {
		return
	}
	n.leaving.asked = true
	n.leaving.until = n.now.Add(leaveLimit)
	n.raise(ha.StopAsked)
}

// checkLeaving ends the node once the role is in other hands, or no hands are left.
func (n *Node) checkLeaving() {
	l := &n.leaving
	if !l.asked || l.done || n.role.Holds() {
		return
	}
	if taking := n.peer.known && n.peer.state.Role == ha.Claiming; taking && n.stream.up && n.now < l.until {
		return
	}
	l.done = true
	n.tell(false)
	for i := range n.paths {
		n.paths[i].withdraw(n.now)
		n.pumpPath(i)
	}
	n.emit(Exit{})
}

// advanceHandover drops a grant that could not be acted upon in time, and says so
// by telling the peer this node's role.
func (n *Node) advanceHandover() {
	if n.grant != nil && n.now >= n.grant.deadline {
		n.grant = nil
		n.traceNote("grant expired before its barrier was reached")
		n.tell(false)
	}
}

// handoverWants returns when a handover next needs a Timer.
func (n *Node) handoverWants() clock.Instant {
	wants := clock.Never
	if n.role == ha.Yielding {
		wants = min(wants, n.yield.deadline)
	}
	if n.grant != nil {
		wants = min(wants, n.grant.deadline)
	}
	if n.wantsRole() {
		wants = min(wants, n.requestAt)
	}
	if n.leaving.asked && !n.leaving.done && !n.role.Holds() {
		wants = min(wants, n.leaving.until)
	}
	return wants
}

// canTakeOver reports whether the peer could be handed the role, and why not.
func (n *Node) canTakeOver() (bool, why) {
	switch {
	case !n.stream.up:
		return false, why{text: "no sync stream to the peer"}
	case !n.peer.known || !n.anyUp():
		return false, why{text: "peer is not heard"}
	case n.peer.state.Role != ha.Backup:
		return false, why{text: "peer is %s", role: n.peer.state.Role}
	case !n.peer.state.Rank.Able:
		return false, why{text: "peer is not able to serve"}
	case !n.sync.PeerInSync():
		return false, why{text: "peer is not in sync"}
	}
	return true, why{text: "peer is Backup and in sync"}
}
