package bfd

import "baton/impl/clock"

// transmitter remembers what was sent.
type transmitter struct {
	pace     pacer
	lastSent clock.Instant
	sent     header // the last packet, without Poll and Final
	finals   finals
}

// contents returns the packet that the session would send now, without Poll,
// Final and authentication (RFC 5880 section 6.8.7).
func (s *Session) contents() Packet {
	return Packet{
		Diag:                    s.PathSignal(),
		State:                   s.state,
		ControlPlaneIndependent: s.cfg.ControlPlaneIndependent,
		Demand:                  s.demandActive(),
		DetectMult:              s.cfg.DetectMult,
		MyDiscr:                 s.cfg.LocalDiscr,
		YourDiscr:               s.peer.discr,
		DesiredMinTxInterval:    s.intervals.desiredMinTx,
		RequiredMinRxInterval:   s.intervals.requiredMinRx,

		RequiredMinEchoRxInterval: s.cfg.RequiredMinEchoRxInterval,
	}
}

// transmit sends what is due at now: an echo packet; the Final that answers a Poll; and
// a packet if the periodic one is due or if it would differ from the last one sent.
func (s *Session) transmit(now clock.Instant) {
	s.followDemand()
	s.followEcho(now)
	s.transmitEcho(now)
	p := s.contents()
	var h header
	p.header(&h)
	if s.announcesByPoll(&h) {
		s.poll.request()
	}
	s.ask()
	s.poll.start(now)
	if spacing := s.finalSpacing(); !now.Before(s.tx.finals.due(spacing)) {
		s.tx.finals.left(now, spacing)
		s.send(now, h, flagFinal)
	}
	if !s.mayTransmit() {
		return
	}
	if h == s.tx.sent && now.Before(s.periodicDue()) {
		return
	}
	flags := byte(0)
	if s.poll.active {
		flags = flagPoll
		s.poll.transmitted(now)
	}
	s.send(now, h, flags)
	s.tx.pace.transmitted(now, &s.random)
}

// NotSent says that the latest packet did not leave. Its news is sent again at once.
func (s *Session) NotSent(now clock.Instant) {
	s.change(now, func() { s.tx.sent = header{} })
}

// mayTransmit reports whether packets other than a Final may be sent (RFC 5880 section 6.8.7).
func (s *Session) mayTransmit() bool {
	if s.cfg.Passive && !s.Heard() {
		return false
	}
	return s.peer.minRx != 0
}

// transmitDeadline returns when transmit has something to do without further input.
func (s *Session) transmitDeadline() clock.Instant {
	due := min(s.echoDue(), s.tx.finals.due(s.finalSpacing()))
	if !s.mayTransmit() {
		return due
	}
	return min(due, s.periodicDue(), s.poll.deadline())
}

// periodicDue returns when the next periodic packet is due. A peer in Demand mode gets
// only Polls.
func (s *Session) periodicDue() clock.Instant {
	if s.remoteDemandActive() && !s.poll.active {
		return clock.Never
	}
	return s.tx.pace.due(s.TransmitInterval(), s.cfg.DetectMult)
}

// send puts a packet into the outbox.
func (s *Session) send(now clock.Instant, h header, flags byte) {
	s.tx.sent, s.tx.lastSent = h, now
	h[offsetFlags] |= flags
	packet := s.out.next()
	s.out.commit(s.auth.seal(append(packet, h[:]...)))
	s.stats.Sent++
}
