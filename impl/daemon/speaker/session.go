package speaker

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/daemon/bfdio"
	"baton/impl/daemon/config"
)

// session is one session with its way to the wire.
type session struct {
	cfg    *config.BFDSession
	discr  uint32
	bfd    *bfd.Session
	sender *bfdio.Sender

	at       clock.Instant // the last instant that the session was given: they do not go back
	deadline clock.Instant
	place    int // in the agenda

	changes [keptChanges]change
	noted   uint64 // changes so far
	failed  uint64 // packets that could not be sent
	failure string // the last failure that was logged, "" after a success
}

// keptChanges is how many changes of state a session remembers.
const keptChanges = 16

// change is a change of state with what it was judged by.
type change struct {
	bfd.Change
	lastReceived clock.Instant
	detection    time.Duration
}

func newSession(cfg *config.BFDSession, discr uint32, now clock.Instant) (*session, error) {
	auth, err := cfg.Auth.BFD()
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", cfg.Name, err)
	}
	x := &session{cfg: cfg, discr: discr, at: now}
	x.bfd, err = bfd.New(bfd.Config{
		LocalDiscr:           discr,
		DesiredMinTxInterval: time.Duration(cfg.TX), RequiredMinRxInterval: time.Duration(cfg.RX), DetectMult: cfg.Mult,
		Demand: cfg.Demand, Passive: cfg.Passive,
		MultiHop: cfg.Mode == config.MultiHop, MinTTL: cfg.MinTTL,
		Auth: auth, Seed: rand.Uint64(),
	}, now)
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", cfg.Name, err)
	}
	return x, nil
}

func (x *session) close() {
	if x.sender != nil {
		x.sender.Close()
	}
}

// shortest is the shortest interval that the session may run at.
func (x *session) shortest() time.Duration {
	return time.Duration(min(x.cfg.TX, x.cfg.RX))
}

// minTTL is the least TTL or hop limit that the session takes.
func (x *session) minTTL() uint8 {
	if x.cfg.Mode == config.MultiHop {
		return x.cfg.MinTTL
	}
	return bfdio.SendTTL
}

// instant keeps the session's time from going back: packets carry the instant at
// which they came, which may lie before the last look.
func (x *session) instant(now clock.Instant) clock.Instant {
	x.at = max(x.at, now)
	return x.at
}

func (x *session) advance(now clock.Instant) { x.bfd.Advance(x.instant(now)) }

// receive gives the session a packet. Why it is discarded, the session counts.
func (x *session) receive(d *bfdio.Datagram) {
	_ = x.bfd.Receive(x.instant(d.At), d.Data, d.TTL)
}

// leave tells the peer that the session is over.
func (x *session) leave(now clock.Instant) {
	x.bfd.SetAdminDown(x.instant(now), true)
	for _, packet := range x.bfd.Ready().Packets {
		_ = x.sender.Send(packet) // nobody is left to tell of a failure
	}
}

// send transmits a control packet. A link that is down fails at every packet, so only
// the first failure of a kind is logged.
func (x *session) send(log *slog.Logger, packet []byte) {
	x.sent(log, x.sender.Send(packet))
}

func (x *session) sent(log *slog.Logger, err error) {
	if err == nil {
		x.failure = ""
		return
	}
	x.failed++
	if text := err.Error(); text != x.failure {
		x.failure = text
		log.Warn("bfd packet lost here", "session", x.cfg.Name, "error", err)
	}
}

// changed notes and tells a change of state.
func (x *session) changed(log *slog.Logger, c bfd.Change) {
	now := change{Change: c, detection: x.bfd.DetectionTime(), lastReceived: x.bfd.Variables().LastReceived}
	x.changes[x.noted%keptChanges] = now
	x.noted++
	log.Info("bfd session", "session", x.cfg.Name, "from", c.From.String(), "to", c.To.String(), "diag", c.Diag.String())
}
