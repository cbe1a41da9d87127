package bfd

import (
	"math/bits"
	"math/rand/v2"
	"time"

	"baton/impl/clock"
)

// transmitter decides when control packets go out.
type transmitter struct {
	random rand.PCG

	// due is when the first packet is due. After it, the next periodic one is due
	// at lastPeriodic plus the negotiated interval shortened by jitter, which stays
	// a fraction until then: so a newly negotiated interval counts at once.
	due          clock.Instant
	started      bool
	lastPeriodic clock.Instant
	jitter       uint64 // the fraction, of 2^64

	lastSent  clock.Instant
	sent      header // the last packet, without Poll and Final
	finalOwed bool
}

// contents returns the packet that the session would send now, without Poll,
// Final and authentication (RFC 5880 section 6.8.7).
func (s *Session) contents() Packet {
	return Packet{
		Diag:                    s.diag,
		State:                   s.state,
		ControlPlaneIndependent: s.cfg.ControlPlaneIndependent,
		Demand:                  s.demandActive(),
		DetectMult:              s.cfg.DetectMult,
		MyDiscr:                 s.cfg.LocalDiscr,
		YourDiscr:               s.peer.discr,
		DesiredMinTxInterval:    s.intervals.desiredMinTx,
		RequiredMinRxInterval:   s.intervals.requiredMinRx,
	}
}

// transmit sends what is due at now: the Final that answers a Poll; and a packet
// when the periodic one is due or when there is news, that is when it would differ
// from the last one that went out.
func (s *Session) transmit(now clock.Instant) {
	s.followDemand()
	p := s.contents()
	var h header
	p.header(&h)
	if s.announcesByPoll(&h) {
		s.poll.request()
	}
	s.poll.start(now)
	if s.tx.finalOwed {
		s.tx.finalOwed = false
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
	s.tx.started, s.tx.lastPeriodic, s.tx.jitter = true, now, s.tx.random.Uint64()
}

// mayTransmit reports whether packets other than a Final may go out (RFC 5880 section 6.8.7).
func (s *Session) mayTransmit() bool {
	if s.cfg.Passive && !s.Heard() {
		return false
	}
	return s.peer.minRx != 0
}

// transmitDeadline is when transmit has something to do, if nothing happens before.
func (s *Session) transmitDeadline() clock.Instant {
	if !s.mayTransmit() {
		return clock.Never
	}
	return min(s.periodicDue(), s.poll.deadline())
}

// periodicDue is when the next periodic packet is due. A peer in Demand mode gets
// none but Polls.
func (s *Session) periodicDue() clock.Instant {
	if s.remoteDemandActive() && !s.poll.active {
		return clock.Never
	}
	if !s.tx.started {
		return s.tx.due
	}
	return s.tx.lastPeriodic.Add(shorten(s.TransmitInterval(), s.cfg.DetectMult, s.tx.jitter))
}

// shorten applies jitter to a transmit interval: it leaves 75 to 100 % of it, or
// 75 to 90 % where the peer would miss the session after a single packet (RFC 5880
// section 6.8.7). The fraction is of 2^64.
func shorten(interval time.Duration, detectMult uint8, fraction uint64) time.Duration {
	least, most := interval-interval/4, interval
	if detectMult == 1 {
		most = interval / 10 * 9
	}
	more, _ := bits.Mul64(uint64(most-least)+1, fraction)
	return least + time.Duration(more)
}

// send puts a packet into the outbox.
func (s *Session) send(now clock.Instant, h header, flags byte) {
	s.tx.sent, s.tx.lastSent = h, now
	h[offsetFlags] |= flags
	packet := s.out.next()
	s.out.commit(s.auth.seal(append(packet, h[:]...)))
	s.stats.Sent++
}
