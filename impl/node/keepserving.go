package node

import (
	"fmt"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// Policy sets what a MASTER does while the arbiter does not answer and it has no proof that its
// peer hears it.
type Policy uint8

const (
	// FailClosed: it stops. Two nodes never forward at once.
	FailClosed Policy = iota
	// KeepServing: it continues like a MASTER without an arbiter. If no path joins the nodes and
	// the peer reaches the arbiter, both forward.
	KeepServing
)

var policyNames = []string{"fail-closed", "keep-serving"}

func (p Policy) String() string {
	if int(p) < len(policyNames) {
		return policyNames[p]
	}
	return fmt.Sprintf("policy%d", uint8(p))
}

// keeping is the state of serving without the arbiter, under KeepServing. Only the node that
// served last may continue. A silent peer never makes a node a new MASTER without the arbiter's
// permission.
type keeping struct {
	// served: this node was MASTER and lost the role, if at all, because its lease expired.
	// Since then it has heard nothing from a peer or an arbiter that might have let another
	// node serve.
	served bool
	last   clock.Instant // when it was MASTER last
	// since is when proof and right ceased to justify the lease; Never while one of them does.
	since clock.Instant
	// alone is since when the peer is silent too.
	alone clock.Instant
}

func (k *keeping) fingerprint(h *fingerprint.Hash) {
	h.Flag(k.served)
	h.Flag(k.on())
}

// on reports whether this node serves without the arbiter.
func (k *keeping) on() bool { return k.since != clock.Never }

// left records the end of a role.
func (k *keeping) left(from, to ha.Role, event ha.Event) {
	if from.Holds() && !to.Holds() && (event != ha.LeaseExpired || from == ha.Yielding) {
		k.served = false
	}
}

// keepServing decides whether this node serves without the arbiter. f is the current footing.
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

// stopKeeping limits the lease again to proof and right. Without either, the lease ends.
func (n *Node) stopKeeping() {
	if !n.lease.held {
		return
	}
	n.lease.fallBack(n.lease.justified(n.footing()))
	n.emitLease(0, n.lease.until)
	n.traceLease()
	n.endLease()
}

// noteAlone traces when this node starts and stops serving without peer and arbiter.
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

// mayResume reports whether a node that served last may claim without the arbiter. Its lease
// expired because it was paused, or because it learned too late that the arbiter is silent.
func (n *Node) mayResume() bool {
	a := &n.arbitration
	return n.arbitration.policy == KeepServing && a.keeping.served && a.machine.Unanswered() && n.silent()
}

// arbiterAnswered records that the arbiter answers again.
func (n *Node) arbiterAnswered() {
	if !n.role.Holds() {
		n.arbitration.keeping.served = false
	}
}

// keptUntil is how long the peer may still serve without the arbiter after the arbiter answers
// again: it asks at least once per validity. Until then this node does not ask for the right.
func (n *Node) keptUntil() clock.Instant {
	a := &n.arbitration
	if back := a.machine.Back(); a.policy == KeepServing && back > 0 {
		return back.Add(n.cfg.Arbiter.Validity)
	}
	return 0
}

// rules reports whether a peer that has been silent for a time cannot forward once the arbiter
// lets this node act alone. Under KeepServing the peer may have continued, but only after it has
// missed this node for as long as this node has missed it.
func (a *arbitration) rules(silent, detection time.Duration) bool {
	return a.on && (a.policy == FailClosed || silent < detection)
}

// status returns nil without an arbiter.
func (a *arbitration) status(now clock.Instant) *ArbiterStatus {
	if !a.on {
		return nil
	}
	s := &ArbiterStatus{
		Kind:    "etcd",
		Policy:  a.policy.String(),
		Answers: !a.machine.Unanswered(),
		Why:     a.machine.Why(),
		Alone:   a.keeping.alone != clock.Never,
	}
	if s.Alone {
		s.For = now.Sub(a.keeping.alone)
	}
	return s
}
