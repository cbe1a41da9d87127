package node

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// Policy says what a MASTER does that has no proof that its peer hears it while the arbiter
// does not answer.
type Policy uint8

const (
	// FailClosed: it stops. Two nodes never forward at once.
	FailClosed Policy = iota
	// KeepServing: it goes on as a MASTER without an arbiter does. Where the peer reaches the
	// arbiter and no path joins the nodes, both forward.
	KeepServing
)

var policyNames = []string{"fail-closed", "keep-serving"}

func (p Policy) String() string {
	if int(p) < len(policyNames) {
		return policyNames[p]
	}
	return fmt.Sprintf("policy%d", uint8(p))
}

// keeping is a node's service without the arbiter, under KeepServing. Only the node that
// served last may go on: the silence of the peer never makes a new MASTER without the
// arbiter's word.
type keeping struct {
	// served: this node was MASTER, lost the role at most by a lease that expired, and has
	// since heard nothing of a peer, or of an arbiter, that might have let another serve.
	served bool
	last   clock.Instant // when it was MASTER last
	// since is when the lease began to rest on neither proof nor right, Never while it does
	// not.
	since clock.Instant
	// alone is the part of that time in which the peer is silent too.
	alone clock.Instant
}

func (k *keeping) fingerprint(h *fingerprint.Hash) {
	h.Flag(k.served)
	h.Flag(k.on())
}

// on reports whether this node goes on without the arbiter.
func (k *keeping) on() bool { return k.since != clock.Never }

// left notes the end of a role.
func (k *keeping) left(from, to ha.Role, event ha.Event) {
	if from.Holds() && !to.Holds() && (event != ha.LeaseExpired || from == ha.Yielding) {
		k.served = false
	}
}

// keepServing decides whether this node goes on without the arbiter. f is the footing of this
// instant.
func (n *Node) keepServing(f footing) {
	k := &n.arbitration.keeping
	if n.arbitration.policy != KeepServing {
		return
	}
	acts := n.role == ha.Master || n.role == ha.Claiming
	switch {
	case n.role == ha.Master:
		k.served, k.last = true, n.now
	case !acts && n.lastHeard() > k.last:
		k.served = false
	}
	m := &n.arbitration.machine
	goes := acts && k.served && n.now >= f.staleAt && n.now >= m.Until() && !m.Denied() &&
		!n.targets.reach().lacks() && n.peerCondition() != serving
	switch {
	case goes && (k.on() || m.Unanswered()):
		k.since = min(k.since, n.now)
	case k.on():
		k.since = clock.Never
		n.stopKeeping()
	}
	n.noteAlone()
}

// stopKeeping has the lease rest again on what is proven or granted. Without either it ends.
func (n *Node) stopKeeping() {
	if !n.lease.held {
		return
	}
	n.lease.fallBack(n.lease.justified(n.footing()))
	n.emitLease(0, n.lease.until)
	n.traceLease()
	n.endLease()
}

// noteAlone records when this node begins and ceases to serve without peer and arbiter.
func (n *Node) noteAlone() {
	k := &n.arbitration.keeping
	was := k.alone
	k.alone = since(k.alone, n.now, k.on() && n.silent())
	switch {
	case was == clock.Never && k.alone != clock.Never:
		n.traceNote("keep-serving: this node serves without peer and arbiter: " + n.arbitration.machine.Why())
	case was != clock.Never && k.alone == clock.Never:
		n.traceNote("keep-serving: this node no longer serves without peer and arbiter")
	}
}

// mayResume reports whether a node that served last may claim without the arbiter: its lease
// has expired because it was paused, or because the arbiter's silence was not known in time.
func (n *Node) mayResume() bool {
	a := &n.arbitration
	return n.arbitration.policy == KeepServing && a.keeping.served && a.machine.Unanswered() && n.silent()
}

// arbiterAnswered notes that the arbiter rules again.
func (n *Node) arbiterAnswered() {
	if !n.role.Holds() {
		n.arbitration.keeping.served = false
	}
}

// keptUntil is until when the peer may serve without the arbiter although that answers again: it
// asks once in a validity at least. Until then this node does not ask for the right.
func (n *Node) keptUntil() clock.Instant {
	a := &n.arbitration
	if back := a.machine.Back(); a.policy == KeepServing && back > 0 {
		return back.Add(n.cfg.Arbiter.Validity)
	}
	return 0
}

// rules reports whether a peer that has been silent for a time cannot forward once the arbiter
// lets this node act alone. Under KeepServing it may have gone on; but not before it has missed
// this node for as long as this node has missed it.
func (a *arbitration) rules(silent, detection time.Duration) bool {
	return a.on && (a.policy == FailClosed || silent < detection)
}

// status is nil without an arbiter.
func (a *arbitration) status(now clock.Instant) *ArbiterStatus {
	if !a.on {
		return nil
	}
	s := &ArbiterStatus{Policy: a.policy.String(), Answers: !a.machine.Unanswered(), Why: a.machine.Why(), Alone: a.keeping.alone != clock.Never}
	if s.Alone {
		s.For = now.Sub(a.keeping.alone)
	}
	return s
}
