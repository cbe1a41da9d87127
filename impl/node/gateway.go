package node

import (
	"time"

	"baton/impl/clock"
	"baton/impl/ha"
)

// Gateway is an arbiter without a vote: a third host that a node must reach to claim, and to
// serve alone. The node's driver probes it and steps each result as a Probe.
type Gateway struct {
	Name string // "" for none
	// Rise and Fall are how many consecutive answers make it reachable, and how many missing ones
	// make it lost.
	Rise, Fall int
}

func newGateway(g Gateway) tracker {
	t := tracker{rise: g.Rise, misses: g.Fall}
	if g.Name != "" {
		t.targets = []target{{name: g.Name}}
	}
	return t
}

// cutOff reports whether this node hears no peer and reaches no gateway, so that it may itself be
// isolated. Then its lease is not renewed, except under KeepServing.
func (n *Node) cutOff() bool {
	return n.arbitration.policy == FailClosed && n.gateway.reach().lacks() && n.silent()
}

// lacksLong reports whether a target or the gateway has not answered for so long that a MASTER gives
// the role up even if an orderly handover is not possible.
func (n *Node) lacksLong() bool {
	return n.now >= n.lacksSince().Add(unreachableLimit)
}

// lacksSince returns since when a target or the gateway has not answered; Never while all do.
func (n *Node) lacksSince() clock.Instant {
	return min(n.targets.lostSince(), n.gateway.lostSince())
}

// unreachableAt returns when a MASTER gives the role up without an orderly handover.
func (n *Node) unreachableAt() clock.Instant {
	if n.role != ha.Master {
		return clock.Never
	}
	return n.lacksSince().Add(unreachableLimit)
}

// judgeGateway judges the gate Arbitrated if the arbiter is a gateway. A node that holds the role
// first waits until its peer has had time to lose the gateway too: the role must not move from a
// serving node to one that then cannot serve.
func judgeGateway(r reach, holds bool) (bool, why) {
	switch {
	case r.lost != "" && holds && !r.settled:
		return true, why{text: "the gateway %s does not answer any more, which the peer may find too", name: r.lost}
	case r.lost != "":
		return false, why{text: "the gateway %s does not answer any more", name: r.lost}
	case r.awaited != "":
		return false, why{text: "the gateway %s has not answered yet", name: r.awaited}
	}
	return true, because("the gateway answers; it does not keep a peer that is not heard from serving too")
}

// gatewayStatus is nil without a gateway.
func (n *Node) gatewayStatus() *ArbiterStatus {
	r := n.gateway.reach()
	if !r.tracked {
		return nil
	}
	s := &ArbiterStatus{Kind: "gateway", Policy: n.arbitration.policy.String(), Answers: !r.lacks()}
	if r.lacks() {
		_, reason := judgeGateway(r, false)
		s.Why = reason.String()
	}
	if s.Alone = r.lacks() && n.lease.held && n.silent(); s.Alone {
		s.For = max(time.Duration(0), n.now.Sub(max(r.since, n.lastHeard())))
	}
	return s
}
