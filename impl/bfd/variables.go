package bfd

import (
	"time"

	"baton/impl/clock"
)

// Variables are the state variables that both sides of a session have announced (RFC
// 5880 section 6.8.1), for display.
type Variables struct {
	// What this session announces.
	DesiredMinTxInterval  time.Duration
	RequiredMinRxInterval time.Duration
	DetectMult            uint8

	// What the peer announced last; initial values before it was heard.
	RemoteMinTxInterval     time.Duration // its Desired Min TX Interval
	RemoteMinRxInterval     time.Duration
	RemoteMinEchoRxInterval time.Duration
	RemoteDetectMult        uint8
	RemoteDemandMode        bool

	// Polling: a Poll Sequence runs, or waits to.
	Polling bool
	// LastReceived is when the last packet was accepted, the zero Instant before the first.
	LastReceived clock.Instant
}

// Variables returns the session's state variables.
func (s *Session) Variables() Variables {
	return Variables{
		DesiredMinTxInterval:    s.intervals.desiredMinTx,
		RequiredMinRxInterval:   s.intervals.requiredMinRx,
		DetectMult:              s.cfg.DetectMult,
		RemoteMinTxInterval:     s.peer.minTx,
		RemoteMinRxInterval:     s.peer.minRx,
		RemoteMinEchoRxInterval: s.peer.minEchoRx,
		RemoteDetectMult:        s.peer.detectMult,
		RemoteDemandMode:        s.peer.demand,
		Polling:                 s.poll.active || s.poll.wanted,
		LastReceived:            s.peer.lastRx,
	}
}
