package node

import (
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// yielding is a handover under way, on the MASTER that leaves.
type yielding struct {
	began, deadline clock.Instant
	// barrier is the last change that the peer must have applied before the grant. It is
	// set once the dataplane has been drained.
	barrier  uint64
	draining bool
	drained  bool
	failed   bool          // the last drain failed
	drainAt  clock.Instant // earliest time of the next drain
}

func (y *yielding) fingerprint(h *fingerprint.Hash) {
	h.Remembered(y.began, longMemory)
	h.Instant(y.deadline)
	h.Number(y.barrier)
	h.Flag(y.draining)
	h.Flag(y.drained)
	h.Flag(y.failed)
	h.Instant(y.drainAt)
}

// begin starts a handover.
func (y *yielding) begin(now clock.Instant) {
	*y = yielding{began: now, deadline: now.Add(yieldLimit)}
}

// wantsDrain reports whether to drain the dataplane now. After a loss of events the
// dataplane is read first, because the peer needs what that read finds.
func (y *yielding) wantsDrain(now clock.Instant, read bool) bool {
	return !y.draining && !y.drained && read && now >= y.drainAt
}

// drainWait returns when a failed drain is repeated, Never if none waits.
func (y *yielding) drainWait(now clock.Instant) clock.Instant {
	if now < y.drainAt {
		return y.drainAt
	}
	return clock.Never
}

// drain records the dataplane's last change.
func (y *yielding) drain(barrier uint64) { y.drained, y.barrier = true, barrier }

// yieldInput is the input of outcome.
type yieldInput struct {
	now, paused clock.Instant // paused: the end of this node's last pause
	stream      bool          // the sync stream is up
	acked       uint64        // the last change that the peer has applied
	leaving     bool
	// able: this node could serve on. unread: its dataplane could not be read.
	able, unread bool
}

// outcome returns the event that ends the handover, if there is one yet. Nobody forwards during a
// handover, so a node that could serve does not wait for a failed call to be repeated.
func (y *yielding) outcome(in yieldInput) (ha.Event, bool) {
	switch {
	case in.paused > y.began:
		return ha.LeaseExpired, true
	case y.drained && in.stream && in.acked >= y.barrier:
		return ha.HandedOver, true
	case in.able && (y.failed || in.unread):
		return ha.HandoverFailed, true
	case in.stream && in.now < y.deadline:
		return 0, false
	case in.leaving:
		return ha.Abandoned, true
	}
	return ha.HandoverFailed, true
}

func (n *Node) startYield() {
	n.yield.begin(n.now)
	n.drain()
}

// drain asks for the pending events of the dataplane.
func (n *Node) drain() {
	if n.yield.wantsDrain(n.now, n.reading.done() && !n.sync.Reconciling()) {
		n.yield.draining = true
		n.emit(Drain{ID: n.nextID(pending{kind: pendingDrain})})
	}
}

// drained takes the answer to a drain. After a failed drain, or if events were lost, the peer may lack a
// change.
func (n *Node) drained(failure string) {
	n.yield.draining, n.yield.failed = false, failure != ""
	switch {
	case failure != "":
		n.yield.drainAt = n.now.Add(n.reading.fail(failure))
		n.traceNote("dataplane not drained: " + failure)
	case n.role == ha.Yielding && n.reading.done():
		n.yield.drain(n.sync.Barrier())
	}
}

// checkYielded raises HandedOver once the peer has applied every change, and
// HandoverFailed when this is no longer possible.
func (n *Node) checkYielded() {
	if n.role != ha.Yielding || len(n.events) > 0 {
		return
	}
	n.drain()
	event, ended := n.yield.outcome(yieldInput{
		now: n.now, paused: n.paused, stream: n.stream.up, acked: n.sync.Acked(), leaving: n.leaving.asked,
		able: n.able(), unread: !n.reading.done() && n.reading.streak > 0,
	})
	if ended {
		n.raise(event)
	}
}

// sendGrant gives the role to the peer. The peer then counts as holding it until it has
// answered a state sent after the grant, or is silent.
func (n *Node) sendGrant() {
	g := grant{Epoch: n.epoch, Barrier: n.yield.barrier}
	n.emit(SendSync{Data: g.encode(n.stream.version)})
	n.peer.grant(n.stream.seq + 1) // the state that Tell sends next
	n.leaving.wait(n.now)
}

// receiveRequest takes the preferred peer's request for the role.
func (n *Node) receiveRequest(data []byte) error {
	if len(data) != requestLen {
		return badLength("request", len(data), requestLen)
	}
	n.raise(ha.HandoverAsked)
	return nil
}

// yieldWait returns when a handover times out.
func (n *Node) yieldWait() clock.Instant {
	if n.role == ha.Yielding {
		return min(n.yield.deadline, n.yield.drainWait(n.now))
	}
	return clock.Never
}
