package node

import (
	"time"

	"baton/impl/arbiter"
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// Arbiter is a third party that decides which of two nodes that have lost each other may
// act on it.
type Arbiter struct {
	// Validity is how long an answer in this node's favour holds; 0 where there is no arbiter.
	Validity time.Duration
}

// arbitration is this node's use of the arbiter. While its packets are proven to be heard
// it needs none; when proofs fail to come it asks before the lease that they justify ends.
type arbitration struct {
	on      bool
	machine arbiter.Machine
	// leans: the lease may count on the right, because proofs were missing a moment ago.
	leans bool
	fresh clock.Instant // since when proofs come again, Never while they do not
}

func (a *arbitration) fingerprint(h *fingerprint.Hash) {
	h.Flag(a.on)
	a.machine.Fingerprint(h)
	h.Flag(a.leans)
	h.Instant(a.fresh)
}

func (a *arbitration) clone() arbitration {
	c := *a
	c.machine = a.machine.Clone()
	return c
}

// right is up to when this node may act alone: for ever where there is no arbiter.
func (a *arbitration) right() clock.Instant {
	switch {
	case !a.on:
		return clock.Never
	case !a.leans:
		return 0
	}
	return a.machine.Until()
}

const (
	// thinAfter is how many intervals after the last proof a node asks the arbiter: one
	// later than proofs come, and what is left of the lease is for the answer.
	thinAfter = 1.3
	// freshFor is how long proofs must come again before a node does without the arbiter.
	freshFor = time.Second
)

// observe decides whether this node leans on the arbiter, given when the last proof is thin.
func (a *arbitration) observe(now, thin clock.Instant, mayAct bool) {
	a.fresh = since(a.fresh, now, now < thin)
	switch {
	case !mayAct:
		a.leans = false
	case now >= thin:
		a.leans = true
	case now >= a.fresh.Add(freshFor):
		a.leans = false
	}
}

// arbitrate asks the arbiter for what this node needs. The right is given back once the
// lease is no longer than what is proven: until then the peer must not take it.
func (n *Node) arbitrate() {
	a := &n.arbitration
	if !a.on {
		return
	}
	f := n.footing()
	acts := n.role == ha.Master || n.role == ha.Claiming
	a.observe(n.now, f.thin, acts || n.wouldClaim())
	a.machine.Want(n.now, a.leans || acts && n.lease.held && n.lease.until > f.proven())
	a.machine.Advance(n.now)
	for _, q := range a.machine.Ready() {
		n.emit(Arbitrate{Question: q})
	}
}

// wouldClaim reports whether nothing keeps this node from claiming but the arbiter.
func (n *Node) wouldClaim() bool {
	if n.role != ha.Backup {
		return false
	}
	to, _, _ := ha.Next(n.role, ha.GatesChanged, n.gates.open|ha.Arbitrated)
	return to == ha.Claiming
}

func (n *Node) arbiterWait() clock.Instant {
	if !n.arbitration.on {
		return clock.Never
	}
	wait := n.arbitration.machine.Deadline()
	if n.role.Holds() {
		wait = min(wait, n.future(n.footing().thin))
	}
	return min(wait, n.future(n.arbitration.fresh.Add(freshFor)))
}

// judgeArbitrated: what a node is known to be heard with needs no arbiter.
func judgeArbitrated(v *view) (bool, why) {
	a := v.arbitration
	switch {
	case !a.on:
		return true, because("no arbiter is configured")
	case v.role.Holds():
		return true, because("the lease holds for as long as the arbiter says, or the peer hears this node")
	case v.now < v.thin:
		return true, because("peer hears this node")
	case v.now < a.right():
		return true, because("the arbiter lets this node act alone")
	case a.machine.Denied():
		return false, because("the arbiter says that the peer acts alone")
	case a.machine.Why() != "":
		return false, why{text: "peer is not known to hear this node, and the arbiter does not answer: %s", name: a.machine.Why()}
	}
	return false, because("peer is not known to hear this node, and the arbiter has not said that it may act alone")
}
