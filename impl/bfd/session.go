package bfd

import (
	"cmp"
	"math/rand/v2"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// Session is one BFD session. It is not safe for concurrent use. Instants passed
// to it must not go back.
type Session struct {
	cfg    Config
	random rand.PCG

	state   State
	diag    Diag // bfd.LocalDiag
	signal  Diag // what packets carry in its place, if signals
	signals bool
	peer    peer

	auth      authenticator
	intervals intervals
	poll      pollSequence
	asks      bool // see SetAsking
	byPolls   bool // failures are detected by unanswered Polls, see followDemand
	tx        transmitter
	echo      echo
	out       outbox

	stats Stats
	drop  DropError // the error of Receive; kept here so that a flood of bad packets allocates nothing
}

// Clone returns a copy. It shares no data that either may change. Earlier results of
// Ready belong to the original.
func (s *Session) Clone() *Session {
	c := *s
	c.out.rebase(&s.out)
	return &c
}

// Fingerprint adds the essential state of the session: without statistics, and without the
// phase of its packets, for which the detection deadline stands.
func (s *Session) Fingerprint(h *fingerprint.Hash) {
	h.Number(uint64(s.state))
	h.Number(uint64(s.diag))
	h.Number(uint64(s.signal))
	h.Flag(s.signals)
	s.peer.fingerprint(h)
	s.intervals.fingerprint(h)
	h.Flag(s.asks)
	h.Flag(s.byPolls)
	h.Flag(s.tx.finals.owed)
}

// peer is what the last accepted control packet said.
type peer struct {
	heard      bool   // a packet was accepted at some time
	discr      uint32 // bfd.RemoteDiscr
	state      State  // bfd.RemoteSessionState
	polls      bool   // the Poll bit
	diag       Diag
	demand     bool          // bfd.RemoteDemandMode
	minRx      time.Duration // bfd.RemoteMinRxInterval
	minTx      time.Duration // its Desired Min TX Interval
	minEchoRx  time.Duration
	detectMult uint8
	lastRx     clock.Instant // when it came
}

func (p *peer) fingerprint(h *fingerprint.Hash) {
	h.Flag(p.heard)
	h.Number(uint64(p.discr))
	h.Number(uint64(p.state))
	h.Number(uint64(p.diag))
	h.Flag(p.polls)
	h.Flag(p.demand)
	for _, d := range []time.Duration{p.minRx, p.minTx, p.minEchoRx} {
		h.Number(uint64(d))
	}
	h.Number(uint64(p.detectMult))
	h.Remembered(p.lastRx, beat)
}

// beat is the granularity at which a fingerprint includes when the last packet came.
const beat = 60 * time.Millisecond

// initialRemoteMinRx is bfd.RemoteMinRxInterval before the peer is heard and after it
// has been silent for a Detection Time (RFC 5880 sections 6.8.1, 6.8.18).
const initialRemoteMinRx = time.Microsecond

// New returns a session in state Down whose first packet is due at once, unless it
// is Passive.
func New(cfg Config, now clock.Instant) (*Session, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Session{
		cfg:   cfg,
		state: Down,
		peer:  peer{state: Down, minRx: initialRemoteMinRx},
	}
	s.random = *rand.NewPCG(cfg.Seed, uint64(cfg.LocalDiscr))
	s.tx.pace.start = now
	s.auth.Auth = cfg.Auth
	s.auth.xmitSeq = cmp.Or(cfg.Auth.FirstSeq, uint32(s.random.Uint64()))
	s.echo.newKey(&s.random)
	s.intervals.adopt(s.intervalsFor(Down))
	s.out.changes = make([]Change, 0, outboxLen)
	return s, nil
}

// State returns bfd.SessionState.
func (s *Session) State() State { return s.state }

// LocalDiag returns bfd.LocalDiag: why the session last went down. It is kept when
// the session comes Up again, so that the peer can read it.
func (s *Session) LocalDiag() Diag { return s.diag }

// RemoteDiscr returns bfd.RemoteDiscr, 0 if it is unknown or forgotten.
func (s *Session) RemoteDiscr() uint32 { return s.peer.discr }

// RemoteState returns bfd.RemoteSessionState, the state the peer last reported.
func (s *Session) RemoteState() State { return s.peer.state }

// RemoteDiag returns the diagnostic that the peer last reported.
func (s *Session) RemoteDiag() Diag { return s.peer.diag }

// RemotePolls reports whether the last packet of the peer was a Poll.
func (s *Session) RemotePolls() bool { return s.peer.polls }

// Heard reports whether a valid packet came within the last Detection Time or, in Demand
// mode, whether no Poll has been unanswered for that long since.
func (s *Session) Heard() bool { return s.peer.discr != 0 }

// LastReceived returns when the last packet was accepted, the zero Instant before the first.
func (s *Session) LastReceived() clock.Instant { return s.peer.lastRx }

// LastSent returns when the last control packet was handed out, the zero Instant
// before the first.
func (s *Session) LastSent() clock.Instant { return s.tx.lastSent }

// Stats returns the counters.
func (s *Session) Stats() Stats { return s.stats }

// Advance does what is due at now: it declares the session down when the Detection
// Time has run out, and transmits. Called late, it transmits once for all that was
// missed. Call it at Deadline.
func (s *Session) Advance(now clock.Instant) {
	if s.state == Up {
		s.stats.AdvanceLateMax = max(s.stats.AdvanceLateMax, now.Sub(s.Deadline()))
	}
	s.out.begin()
	s.expire(now)
	s.transmit(now)
}

// Deadline returns when Advance is wanted next.
func (s *Session) Deadline() clock.Instant {
	return min(s.detectionDeadline(), s.echoDeadline(), s.transmitDeadline())
}

// enter changes the state. A diagnostic of DiagNone leaves bfd.LocalDiag as it is.
func (s *Session) enter(now clock.Instant, to State, why Diag) {
	if why != DiagNone {
		s.diag = why
	}
	s.stats.count(s.state, to)
	s.out.changes = append(s.out.changes, Change{From: s.state, To: to, Diag: why, At: now})
	s.state = to
	s.setIntervals()
}
