package plan

import (
	"strconv"
	"time"
)

// Constants of the node and of BFD from which the windows of the liveness checks are computed. A
// test of package sim compares them with the node's.
const (
	// SlowInterval is the transmit interval of a BFD session that is not Up (RFC 5880 section
	// 6.8.3).
	SlowInterval = time.Second
	// HearLimit is the longest time until two nodes hear each other once the path works.
	HearLimit = 3 * time.Second
	// Patience is the longest time for which a node waits for an answer: on a new stream, to a
	// handover, to a grant, or for the end of an install.
	Patience = 4500 * time.Millisecond
	// HoldFactorMax limits the recovery delay of a flapping node, as a multiple of the
	// configured one.
	HoldFactorMax = 16
)

// Reunion is the longest time after a partition until one of two MASTERs yields: the sessions
// come Up, and the nodes compare their ranks on the stream.
func (p *Plan) Reunion(world string) time.Duration {
	return HearLimit + p.Detect(world) + Patience
}

// Repair is the longest time after the last fault until a node that can serve does. It is the
// sum of the detection time (of a session that is not Up, and of tracked hosts), the wait for
// the peer's answer, and the recovery delay. With an arbiter, the peer's permission to act alone
// ends a validity after a challenge, and a request may wait for half a validity.
func (p *Plan) Repair(world string) time.Duration {
	return p.slowDetect(world) + HearLimit + Patience + p.Hold(world) + p.tracked(world) + 2*p.Validity(world)
}

// RepairDegraded is Repair for a node without the complete table, whose recovery delay may have grown
// by flapping.
func (p *Plan) RepairDegraded(world string) time.Duration {
	return p.Repair(world) + (HoldFactorMax-1)*p.Hold(world)
}

// slowDetect is the detection time of a session that is not Up.
func (p *Plan) slowDetect(world string) time.Duration {
	slow := p.Detect(world)
	for _, node := range nodes {
		slow = max(slow, p.mult(world, node)*SlowInterval)
	}
	return slow
}

// mult is a node's DetectMult.
func (p *Plan) mult(world, node string) time.Duration {
	mult, _ := strconv.Atoi(p.Value(world, node, "bfd.mult"))
	return time.Duration(mult)
}

// tracked is the time until a tracked host counts as lost or as reached again, 0 if none is
// tracked.
func (p *Plan) tracked(world string) time.Duration {
	for _, node := range nodes {
		if len(p.Targets(world, node)) > 0 || p.Gateway(world, node) != "" {
			return p.Track(world)
		}
	}
	return 0
}

// lasting lists the chaos keys that break no path and stop no node, so that a pair has to serve
// through them.
var lasting = map[string]bool{
	"wander": true, "flow.events": true, "clock.drift": true, chaosUntil: true,
	"apply.fail": true, "dump.fail": true, "drain.fail": true, "slow": true, "slow.for": true, "garp.lost": true,
}

// ServesThrough reports whether a pair has to serve during chaos of a key, however long it lasts.
func ServesThrough(key string) bool { return lasting[key] }

// CalmFrom is when the chaos that may keep a pair from serving has ended, counted from the start of
// the run. It is false if that chaos never ends.
func (p *Plan) CalmFrom(world string) (time.Duration, bool) {
	rough := false
	for _, c := range p.Chaos {
		rough = rough || c.Guard.In(world) && !ServesThrough(c.Key)
	}
	if !rough {
		return 0, true
	}
	until := p.ChaosTime(world, chaosUntil)
	return until, until > 0
}

// Beat is the shortest time between two heartbeats of a node on one path: its
// DesiredMinTxInterval, or its peer's RequiredMinRxInterval where that is longer, less
// the jitter (RFC 5880 section 6.8.7).
func (p *Plan) Beat(world, node string) time.Duration {
	peer := nodes[0]
	if node == peer {
		peer = nodes[1]
	}
	return max(p.span(world, node, "bfd.tx"), p.span(world, peer, "bfd.rx")) * 3 / 4
}
