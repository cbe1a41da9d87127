package bfd

import (
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// intervals are bfd.DesiredMinTxInterval and bfd.RequiredMinRxInterval as transmitted,
// and as in force: while the session is Up, slower transmission and shorter detection
// wait for the end of a Poll Sequence, so that each side changes only once the other
// knows (RFC 5880 section 6.8.3).
type intervals struct {
	desiredMinTx, requiredMinRx time.Duration
	txInForce, rxInForce        time.Duration
}

func (i *intervals) fingerprint(h *fingerprint.Hash) {
	for _, d := range []time.Duration{i.desiredMinTx, i.requiredMinRx, i.txInForce, i.rxInForce} {
		h.Number(uint64(d))
	}
}

// adopt sets intervals that are in force at once.
func (i *intervals) adopt(tx, rx time.Duration) {
	*i = intervals{desiredMinTx: tx, requiredMinRx: rx, txInForce: tx, rxInForce: rx}
}

// settle puts the announced intervals in force.
func (i *intervals) settle() { i.adopt(i.desiredMinTx, i.requiredMinRx) }

// intervalsFor returns the intervals that the configuration asks for in a state.
func (s *Session) intervalsFor(state State) (tx, rx time.Duration) {
	tx, rx = s.cfg.DesiredMinTxInterval, s.cfg.RequiredMinRxInterval
	if state != Up {
		tx = max(tx, slowTxInterval)
	}
	if s.echo.active && state == Up {
		rx = max(rx, slowRxInterval)
	}
	return tx, rx
}

// setIntervals updates the intervals after a change of state or configuration. A Poll
// Sequence announces changes.
func (s *Session) setIntervals() {
	i := &s.intervals
	tx, rx := s.intervalsFor(s.state)
	if tx != i.desiredMinTx || rx != i.requiredMinRx {
		i.desiredMinTx, i.requiredMinRx = tx, rx
		s.poll.request()
	}
	if s.state != Up {
		i.settle()
		return
	}
	i.txInForce = min(i.txInForce, tx)
	i.rxInForce = max(i.rxInForce, rx)
}

// TransmitInterval returns the negotiated transmit interval, before jitter: the
// greater of bfd.DesiredMinTxInterval and bfd.RemoteMinRxInterval (RFC 5880 section 6.8.7).
func (s *Session) TransmitInterval() time.Duration {
	return max(s.intervals.txInForce, s.peer.minRx)
}

// DetectionTime returns how long the peer may be silent: its Detect Mult times the
// greater of bfd.RequiredMinRxInterval and its Desired Min TX Interval (RFC 5880
// section 6.8.4). Before the peer was heard it is the value for two peers with this
// configuration. In Demand mode it is how long Polls may be unanswered, by our own
// transmit interval and Detect Mult.
func (s *Session) DetectionTime() time.Duration {
	if s.byPolls {
		return time.Duration(s.cfg.DetectMult) * s.TransmitInterval()
	}
	if !s.peer.heard {
		return time.Duration(s.cfg.DetectMult) * max(s.cfg.DesiredMinTxInterval, s.cfg.RequiredMinRxInterval)
	}
	return time.Duration(s.peer.detectMult) * s.ReceiveInterval()
}

// ReceiveInterval returns the negotiated interval of the peer's packets, before jitter.
func (s *Session) ReceiveInterval() time.Duration { return max(s.intervals.rxInForce, s.peer.minTx) }

// detectionDeadline returns when the peer's silence (in Demand mode, since a Poll) will
// have lasted a Detection Time; Never once the peer has been forgotten.
func (s *Session) detectionDeadline() clock.Instant {
	if !s.Heard() {
		return clock.Never
	}
	if s.byPolls {
		return s.pollDeadline()
	}
	return s.peer.lastRx.Add(s.DetectionTime())
}

// expire declares the session down if the Detection Time has passed, and in every
// state forgets the peer's discriminator and receive interval (RFC 5880 sections
// 6.8.1, 6.8.4, 6.8.18). Every call that takes an instant begins with it, so the session
// is down before a packet that comes after the deadline is processed, even if Advance was
// not called in time.
//
// Missing echo packets also take the session down (section 6.8.5). After twice the
// Detection Time the peer may have restarted with another sequence number (section
// 6.8.1).
func (s *Session) expire(now clock.Instant) {
	if s.auth.known && !now.Before(s.peer.lastRx.Add(2*s.DetectionTime())) {
		s.auth.known = false
	}
	if !now.Before(s.echoDeadline()) {
		s.echoFails(now)
	}
	if now.Before(s.detectionDeadline()) {
		return
	}
	s.peer.discr = 0
	s.peer.minRx = initialRemoteMinRx
	if s.state == Init || s.state == Up {
		s.enter(now, Down, DiagDetectionTimeExpired)
	}
}
