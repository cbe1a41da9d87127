package bfd

import (
	"fmt"
	"time"

	"baton/impl/clock"
)

// change executes a request of the owner at an instant.
func (s *Session) change(now clock.Instant, do func()) {
	s.out.begin()
	s.expire(now)
	do()
	s.transmit(now)
}

// SetAdminDown holds the session in AdminDown with diagnostic 7, or releases it
// into Down (RFC 5880 section 6.8.16). In AdminDown it still transmits, so that the
// peer learns of it.
func (s *Session) SetAdminDown(now clock.Instant, down bool) {
	s.hold(now, down, DiagAdminDown)
}

// SetPathDown is SetAdminDown with diagnostic 5: another source than BFD reports
// that the path has failed, or that it works again.
func (s *Session) SetPathDown(now clock.Instant, down bool) {
	s.hold(now, down, DiagPathDown)
}

func (s *Session) hold(now clock.Instant, down bool, why Diag) {
	s.change(now, func() {
		switch {
		case down && s.state != AdminDown:
			s.enter(now, AdminDown, why)
		case !down && s.state == AdminDown:
			s.enter(now, Down, DiagNone)
		}
	})
}

// ResetForwardingPlane takes the session down with diagnostic 4: the local
// forwarding state is gone, so the peer must not rely on it (RFC 5880 section
// 6.8.15). A session that is held in AdminDown stays there.
func (s *Session) ResetForwardingPlane(now clock.Instant) {
	s.change(now, func() {
		switch s.state {
		case Init, Up:
			s.enter(now, Down, DiagForwardingPlaneReset)
		case Down:
			s.diag = DiagForwardingPlaneReset
		}
	})
}

// SignalConcatenatedPath reports a failure behind this system to the peer, or its
// end with DiagNone, without taking the session down (RFC 5880 section 6.8.17). The
// next failure of the session itself overwrites it.
func (s *Session) SignalConcatenatedPath(now clock.Instant, diag Diag) error {
	if err := validatePathSignal(diag); err != nil {
		return err
	}
	s.change(now, func() { s.diag = diag })
	return nil
}

func validatePathSignal(diag Diag) error {
	switch diag {
	case DiagNone, DiagConcatenatedPathDown, DiagReverseConcatenatedPathDown:
		return nil
	}
	return fmt.Errorf("bfd: signal concatenated path: diagnostic %d is none of 0, 6, 8 (RFC 5880 6.8.17)", diag)
}

// SetPathSignal is a persistent SignalConcatenatedPath: until the next call every packet
// carries the diagnostic instead of bfd.LocalDiag. LocalDiag still returns why the session
// went down. A change is sent at once. On a session that is not Up, DiagPathDown may report
// that another path to the same peer fails.
func (s *Session) SetPathSignal(now clock.Instant, diag Diag) error {
	if err := validatePathSignal(diag); err != nil && diag != DiagPathDown {
		return err
	}
	s.change(now, func() { s.signal, s.signals = diag, true })
	return nil
}

// PathSignal returns the diagnostic that packets carry.
func (s *Session) PathSignal() Diag {
	if s.signals {
		return s.signal
	}
	return s.diag
}

// SetIntervals changes the two intervals of the configuration (RFC 5880 sections
// 6.8.3, 6.8.10 and 6.8.11), which a Poll Sequence announces to the peer. It refuses
// what Config.Validate refuses, and then changes nothing.
func (s *Session) SetIntervals(now clock.Instant, tx, rx time.Duration) error {
	if err := validateIntervals(tx, rx); err != nil {
		return err
	}
	s.change(now, func() {
		s.cfg.DesiredMinTxInterval, s.cfg.RequiredMinRxInterval = tx, rx
		s.setIntervals()
	})
	return nil
}

// SetDetectMult changes bfd.DetectMult, by which the peer judges this session (RFC
// 5880 section 6.8.12).
func (s *Session) SetDetectMult(now clock.Instant, mult uint8) error {
	if err := validateDetectMult(mult); err != nil {
		return err
	}
	s.change(now, func() { s.cfg.DetectMult = mult })
	return nil
}

// SetEcho starts, changes or (with 0) stops the Echo function: the intervals of this
// session's echo packets and of the peer's (RFC 5880 section 6.8.13).
func (s *Session) SetEcho(now clock.Instant, tx, rx time.Duration) error {
	cfg := s.cfg
	cfg.EchoInterval, cfg.RequiredMinEchoRxInterval = tx, rx
	if err := cfg.Validate(); err != nil {
		return err
	}
	s.change(now, func() { s.cfg = cfg })
	return nil
}

// SetAuth changes the authentication (RFC 5880 section 6.7.1), mainly to exchange
// keys. If the peer does not accept the new one within a Detection Time, the session
// fails. It refuses what Config.Validate refuses, and then changes nothing.
func (s *Session) SetAuth(now clock.Instant, auth Auth) error {
	if err := auth.Validate(); err != nil {
		return err
	}
	s.change(now, func() { s.auth.Auth = auth })
	return nil
}
