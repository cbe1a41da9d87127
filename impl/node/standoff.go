package node

import (
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// standoff is the state of two nodes that could serve, hear each other by BFD and have
// no stream: both are standby. They take turns. The node with the complete table claims
// first, then the node with the smaller id. The other node sees the claim by BFD.
type standoff struct {
	since clock.Instant // Never while there is none
}

func (s *standoff) fingerprint(h *fingerprint.Hash) {
	h.Instant(s.since)
}

// Turns of a standoff. They must differ by much more than a detection time.
const (
	standoffTurn       = time.Second
	standoffIncomplete = time.Second
	standoffLargerID   = 500 * time.Millisecond
)

func (s *standoff) observe(now clock.Instant, on bool) {
	s.since = since(s.since, now, on)
}

// turn returns when this node may end the standoff; Never if there is none.
func (s *standoff) turn(complete, smallerID bool) clock.Instant {
	wait := standoffTurn
	if !complete {
		wait += standoffIncomplete
	}
	if !smallerID {
		wait += standoffLargerID
	}
	return s.since.Add(wait)
}

func (n *Node) standoffTurn() clock.Instant {
	return n.standoff.turn(n.complete, n.cfg.ID < n.cfg.Peer)
}

// checkStandoff records whether there is a standoff.
func (n *Node) checkStandoff(h *hearing) {
	n.standoff.observe(n.now, !n.role.Holds() && !h.speaks && h.condition == standby)
}
