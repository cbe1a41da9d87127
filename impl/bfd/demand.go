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

// followDemand keeps track of how failures are detected: by unanswered Polls once
// Demand mode is active. After its end the peer resumes its packets only once it knows,
// so unanswered Polls still count until the peer has answered one.
func (s *Session) followDemand() {
	switch {
	case s.demandActive():
		s.byPolls = true
	case s.state != Up:
		s.byPolls = false
	}
}

// pollFinished handles the end of the last wanted Poll Sequence.
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

// pollDeadline returns when Polls will have been unanswered for a Detection Time.
func (s *Session) pollDeadline() clock.Instant {
	if s.poll.active && s.poll.sent {
		return s.poll.first.Add(s.DetectionTime())
	}
	return clock.Never
}

// SetDemand asks for Demand mode, or ends it (RFC 5880 section 6.8.14). It becomes
// active once both sides are Up. From then on the owner must know by other means that
// the peer is alive, and call Poll when it doubts that.
func (s *Session) SetDemand(now clock.Instant, on bool) {
	s.change(now, func() { s.cfg.Demand = on })
}

// SetAsking makes a session that is Up and not in Demand mode run one Poll Sequence after
// another: the periodic packets ask the peer whether it hears them, see Acknowledged. It
// takes effect with the next call that takes an instant.
func (s *Session) SetAsking(on bool) { s.asks = on }

// Acknowledged returns the latest instant for which the peer has heard a packet that left
// then or later: that of the first Poll of the last answered sequence, since a Final does
// not tell which Poll it answers. It is the zero Instant before the first Final.
func (s *Session) Acknowledged() clock.Instant { return s.poll.heard }

// ask begins a Poll Sequence if the owner wants one after another.
func (s *Session) ask() {
	if s.asks && s.state == Up && !s.demandActive() && !s.remoteDemandActive() {
		s.poll.ask()
	}
}

// Poll starts a Poll Sequence, which verifies in Demand mode that both directions
// work: without an answer within a Detection Time the session goes down (RFC 5880
// section 6.6).
func (s *Session) Poll(now clock.Instant) {
	s.change(now, s.poll.request)
}
