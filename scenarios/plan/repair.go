package plan

import (
	"strconv"
	"time"
)

// What a pair may need that no setting says: limits of the node and of BFD, which the
// windows of the liveness checks rest on. A test of package sim holds them against the
// node's own.
const (
	// SlowInterval is how often a BFD session sends that is not Up (RFC 5880 section 6.8.3).
	SlowInterval = time.Second
	// HearLimit is how long two nodes that can hear each other may take to do so.
	HearLimit = 3 * time.Second
	// Patience is the time for which a node waits at most for an answer that does not
	// come: on a new stream, of a handover, of a grant, of what is to be installed.
	Patience = 4500 * time.Millisecond
	// HoldFactorMax is how many times the configured recovery delay a node waits at
	// most that has flapped.
	HoldFactorMax = 16
)

// Reunion is within what time after a partition one of two MASTERs yields: a session
// that is not Up is heard, its peer answers, and they say on the stream who ranks above.
func (p *Plan) Reunion(world string) time.Duration {
	return HearLimit + p.Detect(world) + Patience
}

// Repair is within what time after the last fault a node that can serve does so: the
// silence is noticed, by a session that was not Up yet if need be, and by what tracks
// hosts; what the peer has to say is waited for; and the recovery delay runs. With an
// arbiter a peer that had the right to act alone loses it a validity after a challenge, and
// a question may wait for half of one.
func (p *Plan) Repair(world string) time.Duration {
	return p.slowDetect(world) + HearLimit + Patience + p.Hold(world) + p.tracked(world) + 2*p.Validity(world)
}

// RepairDegraded is Repair for a node without a whole table, whose recovery delay
// flapping has lengthened.
func (p *Plan) RepairDegraded(world string) time.Duration {
	return p.Repair(world) + (HoldFactorMax-1)*p.Hold(world)
}

// slowDetect is the detection time of a session that has not come Up.
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

// tracked is the time in which a host is lost or found again, 0 if none is tracked.
func (p *Plan) tracked(world string) time.Duration {
	for _, node := range nodes {
		if len(p.Targets(world, node)) > 0 {
			return p.Track(world)
		}
	}
	return 0
}

// lasting lists the kinds of chaos that break no path and take no node away, so that
// a pair has to serve through them.
var lasting = map[string]bool{
	"wander": true, "flow.events": true, "clock.drift": true, chaosUntil: true,
	"apply.fail": true, "dump.fail": true, "drain.fail": true, "slow": true, "slow.for": true, "garp.lost": true,
}

// ServesThrough reports whether a pair has to serve through chaos of a key, however long it lasts.
func ServesThrough(key string) bool { return lasting[key] }

// CalmFrom is when the last chaos ends that may keep a pair from serving, counted
// from the start of the run; false if it never does.
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
