package bfd

import "baton/impl/clock"

// demandActive reports whether Demand mode is active in the local system: this
// session asks the peer to stop its periodic packets (RFC 5880 section 6.8).
func (s *Session) demandActive() bool {
	return s.cfg.Demand && s.state == Up && s.peer.state == Up
}

// remoteDemandActive reports whether the peer asks the same of this session.
func (s *Session) remoteDemandActive() bool {
	return s.peer.demand && s.state == Up && s.peer.state == Up
}

// followDemand keeps track of how failures are detected: from when Demand mode
// becomes active, by unanswered Polls. When it ends the peer's packets resume only
// once it knows, so Polls go on being what counts until it has answered one.
func (s *Session) followDemand() {
	switch {
	case s.demandActive():
		s.byPolls = true
	case s.state != Up:
		s.byPolls = false
	}
}

// pollFinished is the end of the last Poll Sequence that was wanted.
func (s *Session) pollFinished() {
	s.intervals.settle()
	s.byPolls = s.demandActive()
}

// announcesByPoll reports whether contents that differ from the last packet have to
// be acknowledged: when the Demand bit changes, and while Demand mode is active on
// either side (RFC 5880 section 6.6).
func (s *Session) announcesByPoll(h *header) bool {
	demandBit := (h[offsetFlags] ^ s.tx.sent[offsetFlags]) & flagDemand
	return *h != s.tx.sent && (demandBit != 0 || s.demandActive() || s.remoteDemandActive())
}

// pollDeadline is when Polls will have gone unanswered for a Detection Time.
func (s *Session) pollDeadline() clock.Instant {
	if s.poll.active && s.poll.sent {
		return s.poll.first.Add(s.DetectionTime())
	}
	return clock.Never
}

// SetDemand asks for Demand mode, or ends it (RFC 5880 section 6.8.14). It becomes
// active once both sides are Up. From then on the owner has to have another way
// of knowing that the peer is there, and to call Poll when it doubts it.
func (s *Session) SetDemand(now clock.Instant, on bool) {
	s.change(now, func() { s.cfg.Demand = on })
}

// SetAsking has a session that is Up, not in Demand mode, begin a Poll Sequence as soon
// as the one before has ended: the periodic packets ask the peer whether it hears them,
// see Acknowledged. It takes effect with the next call that brings an instant.
func (s *Session) SetAsking(on bool) { s.asks = on }

// Acknowledged returns the latest instant of which the peer is known to have heard a
// packet that left then or later: of the first Poll of the last sequence that it
// answered. The Final does not tell which Poll it answers. It is the zero Instant before
// the first.
func (s *Session) Acknowledged() clock.Instant { return s.poll.heard }

// ask begins a Poll Sequence where the owner wants one after another.
func (s *Session) ask() {
	if s.asks && s.state == Up && !s.demandActive() && !s.remoteDemandActive() {
		s.poll.ask()
	}
}

// Poll starts a Poll Sequence, which verifies in Demand mode that both directions
// work: a peer that leaves it unanswered for a Detection Time takes the session
// down (RFC 5880 section 6.6).
func (s *Session) Poll(now clock.Instant) {
	s.change(now, s.poll.request)
}
