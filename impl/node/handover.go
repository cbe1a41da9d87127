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

// begin starts a handover.
func (y *yielding) begin(now clock.Instant) {
	*y = yielding{began: now, deadline: now.Add(yieldLimit)}
}

// drain notes the last change of the dataplane.
func (y *yielding) drain(barrier uint64) { y.drained, y.barrier = true, barrier }

// yieldInput is what a handover depends on.
type yieldInput struct {
	now, paused clock.Instant // paused: the end of this node's last pause
	stream      bool          // the sync stream is up
	acked       uint64        // the last change that the peer has applied
	leaving     bool
}

// outcome returns the event that ends the handover, and whether there is one yet.
func (y *yielding) outcome(in yieldInput) (ha.Event, bool) {
	switch {
	case in.paused > y.began:
		return ha.LeaseExpired, true
	case y.drained && in.stream && in.acked >= y.barrier:
		return ha.HandedOver, true
	case in.stream && in.now < y.deadline:
		return 0, false
	case in.leaving:
		return ha.Abandoned, true
	}
	return ha.HandoverFailed, true
}

func (n *Node) startYield() {
	n.yield.begin(n.now)
	n.emit(Drain{ID: n.nextID(pending{kind: pendingDrain})})
}

func (n *Node) drained() {
	if n.role == ha.Yielding {
		n.yield.drain(n.sync.Barrier())
	}
}

// checkYielded raises HandedOver once the peer has applied all there was, and
// HandoverFailed when it can no longer be expected to.
func (n *Node) checkYielded() {
	if n.role != ha.Yielding || len(n.events) > 0 {
		return
	}
	event, ended := n.yield.outcome(yieldInput{
		now: n.now, paused: n.paused, stream: n.stream.up, acked: n.sync.Acked(), leaving: n.leaving.asked,
	})
	if ended {
		n.raise(event)
	}
}

// sendGrant gives the role away. From here on the peer counts as holding it,
// until it has answered a state sent after the grant or is silent.
func (n *Node) sendGrant() {
	g := grant{Epoch: n.epoch, Barrier: n.yield.barrier}
	n.emit(SendSync{Data: g.encode()})
	n.peer.grant(n.stream.seq + 1) // the state that Tell sends next
	n.leaving.wait(n.now)
}

// receiveRequest hears the preferred peer ask for the role.
func (n *Node) receiveRequest(data []byte) error {
	if len(data) != requestLen {
		return badLength("request", len(data), requestLen)
	}
	n.raise(ha.HandoverAsked)
	return nil
}

// yieldWait returns when a handover is given up.
func (n *Node) yieldWait() clock.Instant {
	if n.role == ha.Yielding {
		return n.yield.deadline
	}
	return clock.Never
}
