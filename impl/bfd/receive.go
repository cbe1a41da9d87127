package bfd

import "baton/impl/clock"

// Receive takes a control packet that was demultiplexed to this session, with the
// TTL or hop limit of its IP header. It follows the order of RFC 5880 section 6.8.6.
// A discarded packet changes only the counters; the error is then a *DropError, valid
// until the next call on the session. (In AdminDown the RFC discards the packet only
// after storing the peer's variables.)
//
// Receive includes Advance.
func (s *Session) Receive(now clock.Instant, pkt []byte, ttl uint8) error {
	s.out.begin()
	s.expire(now)
	accepted := s.process(now, pkt, ttl)
	s.transmit(now)
	if !accepted {
		s.stats.refuse(s.drop.Reason)
		return &s.drop
	}
	s.stats.accept()
	return nil
}

// process returns false, with s.drop filled in, for a packet that is discarded.
func (s *Session) process(now clock.Instant, b []byte, ttl uint8) bool {
	var p Packet
	if !p.decode(b, &s.drop) || !s.admit(b, &p, ttl) {
		return false
	}
	s.note(now, &p)
	if s.poll.received(now, p.Final) {
		s.pollFinished()
	}
	// The Final bit is owed "without respect to the session state" (section 6.8.7),
	// in AdminDown too, where the packet is otherwise discarded.
	s.tx.finals.owed = s.tx.finals.owed || p.Poll
	if s.state == AdminDown {
		return s.drop.set(DropAdminDown, 0, 0)
	}
	if to, why := next(s.state, p.State); to != s.state && !s.held(now) {
		s.enter(now, to, why)
	}
	return true
}

// admit makes the checks that need the session.
func (s *Session) admit(b []byte, p *Packet, ttl uint8) bool {
	if p.YourDiscr != 0 && p.YourDiscr != s.cfg.LocalDiscr {
		s.drop = DropError{Reason: DropYourDiscr, Got: p.YourDiscr, Want: s.cfg.LocalDiscr}
		return false
	}
	if p.YourDiscr == 0 && p.State != Down && p.State != AdminDown {
		return s.drop.set(DropState, int(p.State), int(Down))
	}
	if least := s.cfg.minTTL(); ttl < least {
		return s.drop.set(DropTTL, int(ttl), int(least))
	}
	return s.auth.verify(b, p, &s.drop)
}

// note stores the state variables of the peer.
func (s *Session) note(now clock.Instant, p *Packet) {
	if s.state == Up {
		s.stats.ReceiveGapMax = max(s.stats.ReceiveGapMax, now.Sub(s.peer.lastRx))
	}
	s.peer = peer{
		heard:      true,
		discr:      p.MyDiscr,
		state:      p.State,
		polls:      p.Poll,
		diag:       p.Diag,
		demand:     p.Demand,
		minRx:      p.RequiredMinRxInterval,
		minTx:      p.DesiredMinTxInterval,
		minEchoRx:  p.RequiredMinEchoRxInterval,
		detectMult: p.DetectMult,
		lastRx:     now,
	}
	if s.cfg.ForgetsWithdrawn && p.State == AdminDown {
		s.peer.discr = 0
	}
}
