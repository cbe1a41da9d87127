package node

import (
	"time"

	"baton/impl/arbiter"
	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// Arbiter is the third party that decides which of two nodes may act alone when they do not
// hear each other.
type Arbiter struct {
	// Validity is how long the right to act alone lasts; 0 without an arbiter.
	Validity time.Duration
	Policy   Policy
	Gateway  Gateway // instead of Validity
}

// arbitration is this node's use of the arbiter. The node needs no arbiter while it gets proof
// that the peer hears it. When the proofs stop, it asks before the lease that they justify
// ends.
type arbitration struct {
	on      bool
	policy  Policy
	machine arbiter.Machine
	// needed: proofs are missing or were a moment ago, so the lease may depend on the right.
	needed bool
	fresh  clock.Instant // since when proofs arrive again; Never while they do not

	keeping keeping
}

func (a *arbitration) fingerprint(h *fingerprint.Hash) {
	h.Flag(a.on)
	a.machine.Fingerprint(h)
	h.Flag(a.needed)
	h.Instant(a.fresh)
	a.keeping.fingerprint(h)
}

// binds reports whether a lease requires proof or the arbiter's right.
func (a *arbitration) binds() bool { return a.on && !a.keeping.on() }

func (a *arbitration) clone() arbitration {
	c := *a
	c.machine = a.machine.Clone()
	return c
}

// right returns when this node's right to act alone ends: Never without an arbiter.
func (a *arbitration) right() clock.Instant {
	switch {
	case !a.on:
		return clock.Never
	case !a.needed:
		return 0
	}
	return a.machine.Until()
}

const (
	// proofStaleAfter is how many intervals after the last proof a node asks the arbiter. By
	// then the next proof is overdue, and the rest of the lease leaves time for the answer.
	proofStaleAfter = 1.3
	// freshFor is how long proofs must arrive again before a node stops using the arbiter.
	freshFor = time.Second
)

// observe decides whether this node needs the arbiter. The last proof becomes stale at
// staleAt. eligible: the node serves, or would claim.
func (a *arbitration) observe(now, staleAt clock.Instant, eligible bool) {
	a.fresh = since(a.fresh, now, now < staleAt)
	switch {
	case !eligible:
		a.needed = false
	case now >= staleAt:
		a.needed = true
	case now >= a.fresh.Add(freshFor):
		a.needed = false
	}
}

// arbitrate asks the arbiter for the right, or returns it. A MASTER returns the right only
// when proofs alone justify its lease, because the peer must not get it earlier.
func (n *Node) arbitrate() {
	a := &n.arbitration
	if !a.on {
		return
	}
	f := n.footing()
	acts := n.role == ha.Master || n.role == ha.Claiming
	a.observe(n.now, f.staleAt, acts || n.wouldClaim() && n.now >= n.keptUntil() || a.keeping.served)
	a.machine.Want(n.now, a.needed || acts && n.lease.held && n.lease.until > f.proven())
	a.machine.Advance(n.now)
	n.keepServing(f)
	for _, q := range a.machine.Ready() {
		n.emit(Arbitrate{Question: q})
	}
}

// wouldClaim reports whether only the arbiter keeps this node from claiming.
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
		wait = min(wait, n.future(n.footing().staleAt))
	}
	return min(wait, n.future(n.keptUntil()), n.future(n.arbitration.fresh.Add(freshFor)))
}

// ruling is the state of the right to act alone at one instant.
type ruling struct {
	on      bool   // an arbiter is configured
	keeps   bool   // this node continues without the arbiter
	resumes bool   // this node served last and may claim without the arbiter
	heard   bool   // the peer is known to hear this node
	alone   bool   // this node may act alone
	denied  bool   // the peer acts alone
	failure string // why the arbiter does not answer
}

// ruling returns the ruling at now. The last proof becomes stale at staleAt.
func (a *arbitration) ruling(now, staleAt clock.Instant) ruling {
	return ruling{on: true, heard: now < staleAt, alone: now < a.right(), denied: a.machine.Denied(), failure: a.machine.Why()}
}

func (n *Node) ruling() ruling {
	if !n.arbitration.on {
		return ruling{}
	}
	r := n.arbitration.ruling(n.now, n.paths.proof().staleAt)
	r.keeps, r.resumes = n.arbitration.keeping.on(), n.mayResume()
	return r
}

// judgeArbitrated opens the gate without the arbiter if the peer is known to hear this node.
func judgeArbitrated(v *view) (bool, why) {
	a := &v.arbitration
	switch {
	case v.gateway.tracked:
		return judgeGateway(v.gateway, v.role.Holds())
	case !a.on:
		return true, because("no arbiter is configured")
	case a.keeps:
		return true, because("keep-serving: the arbiter does not answer, and this node goes on as one without an arbiter does")
	case v.role.Holds():
		return true, because("the lease holds for as long as the arbiter says, or the peer hears this node")
	case a.heard:
		return true, because("peer hears this node")
	case a.alone:
		return true, because("the arbiter lets this node act alone")
	case a.resumes:
		return true, because("keep-serving: this node served last, and hears neither arbiter nor peer")
	case a.denied:
		return false, because("the arbiter says that the peer acts alone")
	case a.failure != "":
		return false, why{text: "peer is not known to hear this node, and the arbiter does not answer: %s", name: a.failure}
	}
	return false, because("peer is not known to hear this node, and the arbiter has not said that it may act alone")
}
