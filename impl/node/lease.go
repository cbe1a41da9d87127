package node

import (
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
)

// lease is the dataplane's permission to forward. It is renewed as BFD packets leave. It
// expires sooner after the last packet than the peer may declare this node down, so a
// node that stops sending stops forwarding first. The expiry is absolute, and an expired
// lease is never renewed.
type lease struct {
	held    bool
	until   clock.Instant // Never while not held
	taken   clock.Instant // time of the last write
	claimed clock.Instant // when the claim began
	// refused: the dataplane refused the last lease.
	refused bool
	// trusting: sent packets count as heard until the peer is known to hear again.
	trusting bool
}

func (l *lease) fingerprint(h *fingerprint.Hash) {
	h.Flag(l.held)
	h.Instant(l.until)
	h.Flag(l.refused)
	h.Flag(l.trusting)
	h.Instant(l.claimed)
}

// footing is the justification of a lease at one instant.
type footing struct {
	until clock.Instant // limit by the packets that were sent
	proof               // limit by the packets that the peer has heard
	// lonely: nobody hears this node, so no detection time bounds the lease. The lease
	// then only guards against a pause, and lasts for length.
	lonely bool
	length time.Duration
	// spoken is the limit by what was last said on a live sync stream, 0 without one.
	spoken clock.Instant
	// right is the end of the arbiter's right to act alone.
	arbitrated bool
	right      clock.Instant
}

// leaseShare is the length of a lease as a share of the peer's detection time. The rest
// covers the drift of the two clocks and the time from the clock reading to the packet on
// the wire.
const leaseShare = 0.9

func leaseLength(detect time.Duration) time.Duration {
	return time.Duration(leaseShare * float64(detect))
}

// take starts to hold the lease. A claim may follow an expired lease at once, so it decides anew.
func (l *lease) take(now clock.Instant, f footing) {
	*l = lease{held: true, until: clock.Never, taken: now, claimed: l.claimed}
	l.decide(now, f)
	l.until = l.justified(f)
}

// renew extends the lease if the footing justifies it, and reports whether it did.
func (l *lease) renew(now clock.Instant, f footing) bool {
	until := l.justified(f)
	if !l.held || now >= l.until || until <= l.until || f.lonely && now < l.renewalAlone(f) {
		return false
	}
	l.until, l.taken = until, now
	return true
}

// fallBack records that the last renewal had no effect; the lease ends at until.
func (l *lease) fallBack(until clock.Instant) {
	if l.held {
		l.until = min(l.until, until)
	}
}

// renewalAlone is when a node without a peer renews: after a third of the lease. A longer
// lease from its time with a peer is first used until it nears its end.
func (l *lease) renewalAlone(f footing) clock.Instant {
	return min(max(l.taken.Add(f.length/3), l.until.Add(-f.length*2/3)), l.until.Add(-f.length/6))
}

// expired reports whether the lease has run out.
func (l *lease) expired(now clock.Instant) bool { return l.held && now >= l.until }

func (l *lease) drop() { *l = lease{until: clock.Never, refused: l.refused} }

// deadline returns when a held lease next needs a Timer.
func (l *lease) deadline(f footing) clock.Instant {
	switch {
	case !f.lonely && l.undecided(f):
		return min(l.until, f.decide)
	case !f.lonely, f.arbitrated && f.right <= l.until:
		return l.until
	}
	return min(l.until, l.renewalAlone(f))
}

// footing returns what sent packets justify: BFD packets, or keepalives on a stream on
// which the peer listens if no BFD session is Up.
func (n *Node) footing() footing {
	f := n.paths.footing(n.now)
	f.arbitrated, f.right = n.arbitration.binds(), n.arbitration.right()
	if n.cutOff() {
		f.arbitrated, f.right = true, 0
	}
	f.spoken = n.spokenUntil(f.lonely)
	if f.spoken > 0 && f.lonely {
		f.lonely, f.proof, f.until = false, unasked, f.spoken
	}
	return f
}

// spokenUntil returns how long the last keepalive justifies forwarding; 0 without a stream on which the peer
// speaks. A stream that was live before a pause of this node may be silent only because of the pause, or the
// peer may have closed it for that reason. Until the peer has answered, what was said since does not count. While
// a session is Up this node waits for no answer once it has read its sockets, because the peer may be dead.
func (n *Node) spokenUntil(lonely bool) clock.Instant {
	speaks, readBy := n.streamLive(), n.stream.readBy
	if lonely {
		readBy = n.stream.waits
	}
	switch {
	case n.stream.version < versionKeepalive:
		return 0
	case speaks && n.peer.confirmed():
		return n.stream.sentAt.Add(leaseLength(n.paths.streamDetection()))
	case speaks, n.stream.mayLive(n.now, readBy), n.now < n.stream.gone:
		return n.stream.heard // an instant that has passed
	}
	return 0
}

// takeLease allows forwarding. The effect's Done raises LeaseHeld.
func (n *Node) takeLease() {
	n.lease.take(n.now, n.footing())
	n.emitLease(n.nextID(pending{kind: pendingLease}), n.lease.until)
	n.traceLease()
}

// refused reports whether the dataplane refused the last lease and this node still waits
// before it asks again. Meanwhile it must not keep a peer from serving. Flapping does not
// lengthen the wait, because both nodes may have been refused.
func (n *Node) refused() bool { return n.lease.refused && n.now < n.hold.EndsUndamped() }

func (n *Node) leaseAnswered(failure string) {
	switch {
	case n.role != ha.Claiming || !n.lease.held:
	case failure != "":
		n.lease.refused = true
		n.traceNote("lease refused by the dataplane: " + failure)
		n.raise(ha.LeaseFailed)
	default:
		n.raise(ha.LeaseHeld)
	}
}

// renewLease extends the lease if the footing justifies it.
func (n *Node) renewLease() {
	if n.lease.held {
		n.renewLeaseOn(n.footing())
	}
}

func (n *Node) renewLeaseOn(f footing) {
	if n.lease.renew(n.now, f) {
		n.emitLease(0, n.lease.until)
		n.traceLease()
	}
}

func (n *Node) leaseWait() clock.Instant {
	if !n.lease.held {
		return clock.Never
	}
	return n.lease.deadline(n.footing())
}

// renewalFailed falls back to the lease that took hold. If none has, the Done of the
// claim's own lease is still to come and reports the refusal.
func (n *Node) renewalFailed(until clock.Instant) {
	if n.role == ha.Claiming && until <= n.now {
		return
	}
	n.lease.fallBack(until)
}

// checkLease ends an expired lease and settles the node.
func (n *Node) checkLease() {
	if n.endLease() {
		n.settle()
	}
}

// endLease raises LeaseExpired if the lease has expired, and reports whether it has.
func (n *Node) endLease() bool {
	if !n.lease.expired(n.now) {
		return false
	}
	n.lease.drop()
	n.raise(ha.LeaseExpired)
	return true
}

// releaseLease forbids forwarding.
func (n *Node) releaseLease() {
	n.lease.drop()
	n.emitLease(0, n.now)
	n.dropDeferred()
	n.traceLease()
}
