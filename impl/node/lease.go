package node

import (
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ha"
)

// lease is the forwarding permission that the dataplane holds. It is renewed as
// BFD packets leave, for less than the time after the last of them at which the
// peer may declare this node down: a node that stops sending stops forwarding
// first. The expiry is absolute, and an expired lease is never renewed.
type lease struct {
	held  bool
	until clock.Instant // Never while not held
	taken clock.Instant // when it was written last
}

// leaseShare is the part of the peer's detection time for which a lease holds.
// What is left covers two clocks that do not run alike and the time from the
// reading of the clock to the packet on the wire.
const leaseShare = 0.9

func leaseLength(detect time.Duration) time.Duration {
	return time.Duration(leaseShare * float64(detect))
}

// leaseEnd is up to when forwarding is justified now.
func (n *Node) leaseEnd() clock.Instant {
	end := clock.Never
	for i := range n.paths {
		s := n.paths[i].session
		if s.State() == bfd.Up {
			mult := time.Duration(n.paths[i].BFD.DetectMult)
			end = min(end, s.LastSent().Add(leaseLength(mult*s.TransmitInterval())))
		}
	}
	if end == clock.Never {
		// Nobody hears this node, so that nobody's detection bounds it; the lease is
		// then a guard against a pause alone.
		end = n.now.Add(n.lonelyLease())
	}
	return end
}

// lonelyLease is the lease of a node without a peer: that of the configured intervals.
func (n *Node) lonelyLease() time.Duration {
	shortest := time.Duration(clock.Never)
	for i := range n.paths {
		cfg := n.paths[i].BFD
		shortest = min(shortest, leaseLength(time.Duration(cfg.DetectMult)*cfg.DesiredMinTxInterval))
	}
	return shortest
}

// takeLease allows forwarding; the Done of the effect raises LeaseHeld.
func (n *Node) takeLease() {
	n.lease = lease{held: true, until: n.leaseEnd(), taken: n.now}
	id := n.nextID(pending{kind: pendingLease})
	n.emitLease(id, n.lease.until)
	n.traceLease()
}

func (n *Node) leaseAnswered(failure string) {
	switch {
	case n.role != ha.Claiming || !n.lease.held:
	case failure != "":
		n.traceNote("lease refused by the dataplane: " + failure)
		n.raise(ha.LeaseFailed)
	default:
		n.raise(ha.LeaseHeld)
	}
}

// renewLease moves the expiry on, if what was sent justifies it.
func (n *Node) renewLease() {
	if !n.lease.held || n.now >= n.lease.until {
		return
	}
	end := n.leaseEnd()
	lonely := !n.anyUp()
	if end <= n.lease.until || lonely && n.now < n.lease.lonelyRenewal(n) {
		return
	}
	n.lease.until, n.lease.taken = end, n.now
	n.emitLease(0, end)
	n.traceLease()
}

// lonelyRenewal is when a node without a peer renews: after a third of the lease.
func (l *lease) lonelyRenewal(n *Node) clock.Instant {
	return l.taken.Add(n.lonelyLease() / 3)
}

// checkLease raises LeaseExpired when the lease has run out unrenewed.
func (n *Node) checkLease() {
	if n.lease.held && n.now >= n.lease.until {
		n.lease = lease{until: clock.Never}
		n.raise(ha.LeaseExpired)
		n.settle()
	}
}

// releaseLease forbids forwarding.
func (n *Node) releaseLease() {
	n.lease = lease{until: clock.Never}
	n.emitLease(0, n.now)
	n.traceLease()
}

// wants returns when the lease next needs a Timer.
func (l *lease) wants(n *Node) clock.Instant {
	switch {
	case !l.held:
		return clock.Never
	case n.anyUp():
		return l.until
	}
	return min(l.until, l.lonelyRenewal(n))
}
