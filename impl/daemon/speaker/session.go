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

// session is one session with its sockets.
type session struct {
	cfg   *config.BFDSession
	discr uint32
	machine
	peered *bfd.Session      // the state machine if the peer speaks BFD
	loop   *bfd.Unaffiliated // the state machine if the peer only forwards

	sender    *bfdio.Sender     // sends control packets; nil for an unaffiliated session
	echo      *bfdio.EchoSender // sends to the echo port; nil if none are sent
	neighbour neigh.Neighbour   // destination of echo packets

	at       clock.Instant // the last instant passed to the session; never decreases
	deadline clock.Instant
	place    int // index in the agenda

	changes [keptChanges]change
	noted   uint64 // changes so far
	failed  uint64 // packets that could not be sent
	failure string // the last logged failure, "" after a success
}

// machine is the interface of both kinds of state machines.
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

// keptChanges is the number of state changes that a session remembers.
const keptChanges = 16

// change is a state change with the facts behind it.
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

// shortest returns the shortest interval at which the session may run.
func (x *session) shortest() time.Duration {
	shortest := x.cfg.TX
	for _, interval := range []config.Duration{x.cfg.RX, x.cfg.Echo.TX} {
		if interval != 0 {
			shortest = min(shortest, interval)
		}
	}
	return time.Duration(shortest)
}

// minTTL returns the minimum TTL or hop limit of received packets.
func (x *session) minTTL() uint8 {
	if x.cfg.Mode == config.MultiHop {
		return x.cfg.MinTTL
	}
	return bfdio.SendTTL
}

// instant keeps the session's time monotonic: a packet's receive timestamp may be earlier
// than the last call.
func (x *session) instant(now clock.Instant) clock.Instant {
	x.at = max(x.at, now)
	return x.at
}

func (x *session) advance(now clock.Instant) { x.Advance(x.instant(now)) }

// receive passes a packet to the session, which counts why it discards one.
func (x *session) receive(d *bfdio.Datagram) {
	_ = x.peered.Receive(x.instant(d.At), d.Data, d.TTL)
}

// receiveEcho is receive for packets to the echo port.
func (x *session) receiveEcho(d *bfdio.Datagram) {
	if x.loop != nil {
		_ = x.loop.Receive(x.instant(d.At), d.Data, d.TTL)
	} else {
		_ = x.peered.ReceiveEcho(x.instant(d.At), d.Data, d.TTL)
	}
}

// leave tells the peer that the session is AdminDown, unless the session is unaffiliated.
func (x *session) leave(now clock.Instant) {
	if x.peered == nil {
		return
	}
	x.peered.SetAdminDown(x.instant(now), true)
	for _, packet := range x.Ready().Packets {
		_ = x.sender.Send(packet) // a failure no longer matters
	}
}

// send transmits a control packet; an unaffiliated session sends it to itself.
func (x *session) send(log *slog.Logger, packet []byte) {
	if x.loop != nil {
		x.sendEcho(log, packet)
	} else {
		x.sent(log, x.sender.Send(packet))
	}
}

// sendEcho transmits a packet to the echo port.
func (x *session) sendEcho(log *slog.Logger, packet []byte) { x.sent(log, x.echo.Send(packet)) }

// sent counts failures. On a link that is down every packet fails, so only the first
// failure of a kind is logged.
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

// changed records and logs a state change.
func (x *session) changed(log *slog.Logger, c bfd.Change) {
	now := change{Change: c, detection: x.DetectionTime(), lastReceived: x.lastReceived()}
	if c.Diag == bfd.DiagEchoFailed && x.peered != nil {
		now.detection, now.lastReceived = x.peered.EchoDetectionTime(), x.peered.LastEcho()
	}
	x.changes[x.noted%keptChanges] = now
	x.noted++
	log.Info("bfd session", "session", x.cfg.Name, "from", c.From.String(), "to", c.To.String(), "diag", c.Diag.String())
}
