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
	"baton/impl/daemon/neigh"
)

// session is one session with its way to the wire.
type session struct {
	cfg   *config.BFDSession
	discr uint32
	machine
	peered *bfd.Session      // the machine, where the peer speaks BFD
	loop   *bfd.Unaffiliated // and where it only forwards

	sender    *bfdio.Sender     // of control packets; nil where the peer takes none
	echo      *bfdio.EchoSender // of packets to the echo port; nil where none are sent
	neighbour neigh.Neighbour   // to whom they go

	at       clock.Instant // the last instant that the session was given: they do not go back
	deadline clock.Instant
	place    int // in the agenda

	changes [keptChanges]change
	noted   uint64 // changes so far
	failed  uint64 // packets that could not be sent
	failure string // the last failure that was logged, "" after a success
}

// machine is what sessions of all kinds have in common.
type machine interface {
	State() bfd.State
	LocalDiag() bfd.Diag
	Stats() bfd.Stats
	TransmitInterval() time.Duration
	DetectionTime() time.Duration
	Deadline() clock.Instant
	Advance(clock.Instant)
	Ready() bfd.Ready
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
	if cfg.Mode == config.Unaffiliated {
		x.loop, err = bfd.NewUnaffiliated(bfd.UnaffiliatedConfig{
			LocalDiscr: discr, Interval: time.Duration(cfg.TX), DetectMult: cfg.Mult, Auth: auth, Seed: rand.Uint64(),
		}, now)
		x.machine = x.loop
	} else {
		x.peered, err = bfd.New(bfd.Config{
			LocalDiscr:           discr,
			DesiredMinTxInterval: time.Duration(cfg.TX), RequiredMinRxInterval: time.Duration(cfg.RX), DetectMult: cfg.Mult,
			Demand: cfg.Demand, Passive: cfg.Passive,
			EchoInterval: time.Duration(cfg.Echo.TX), RequiredMinEchoRxInterval: time.Duration(cfg.Echo.RX),
			MultiHop: cfg.Mode == config.MultiHop, MinTTL: cfg.MinTTL,
			Auth: auth, Seed: rand.Uint64(),
		}, now)
		x.machine = x.peered
	}
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
	shortest := x.cfg.TX
	for _, interval := range []config.Duration{x.cfg.RX, x.cfg.Echo.TX} {
		if interval != 0 {
			shortest = min(shortest, interval)
		}
	}
	return time.Duration(shortest)
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

func (x *session) advance(now clock.Instant) { x.Advance(x.instant(now)) }

// receive gives the session a packet. Why it is discarded, the session counts.
func (x *session) receive(d *bfdio.Datagram) {
	_ = x.peered.Receive(x.instant(d.At), d.Data, d.TTL)
}

// receiveEcho does the same for a packet that came to the echo port.
func (x *session) receiveEcho(d *bfdio.Datagram) {
	if x.loop != nil {
		_ = x.loop.Receive(x.instant(d.At), d.Data, d.TTL)
	} else {
		_ = x.peered.ReceiveEcho(x.instant(d.At), d.Data, d.TTL)
	}
}

// leave tells the peer that the session is over, if it is one that listens.
func (x *session) leave(now clock.Instant) {
	if x.peered == nil {
		return
	}
	x.peered.SetAdminDown(x.instant(now), true)
	for _, packet := range x.Ready().Packets {
		_ = x.sender.Send(packet) // nobody is left to tell of a failure
	}
}

// send transmits a control packet, which an unaffiliated session sends to itself.
func (x *session) send(log *slog.Logger, packet []byte) {
	if x.loop != nil {
		x.sendEcho(log, packet)
	} else {
		x.sent(log, x.sender.Send(packet))
	}
}

// sendEcho transmits a packet to the echo port.
func (x *session) sendEcho(log *slog.Logger, packet []byte) { x.sent(log, x.echo.Send(packet)) }

// sent counts failures. A link that is down fails at every packet, so only the first
// of a kind is logged.
func (x *session) sent(log *slog.Logger, err error) {
	if err == nil {
		x.failure = ""
		return
	}
	x.failed++
	if text := err.Error(); text != x.failure {
		x.failure = text
		log.Warn("bfd packet not sent or received", "session", x.cfg.Name, "error", err)
	}
}

// lastReceived is when the last packet was accepted.
func (x *session) lastReceived() clock.Instant {
	if x.loop != nil {
		return x.loop.LastReceived()
	}
	return x.peered.Variables().LastReceived
}

// changed notes and tells a change of state.
func (x *session) changed(log *slog.Logger, c bfd.Change) {
	now := change{Change: c, detection: x.DetectionTime(), lastReceived: x.lastReceived()}
	if c.Diag == bfd.DiagEchoFailed && x.peered != nil {
		now.detection, now.lastReceived = x.peered.EchoDetectionTime(), x.peered.LastEcho()
	}
	x.changes[x.noted%keptChanges] = now
	x.noted++
	log.Info("bfd session", "session", x.cfg.Name, "from", c.From.String(), "to", c.To.String(), "diag", c.Diag.String())
}
