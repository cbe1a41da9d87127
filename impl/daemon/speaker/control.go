package speaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/daemon/bfdio"
	"baton/impl/daemon/control"
)

// controller implements control.Speaker on the loop.
type controller struct{ *Speaker }

// errEnded is the answer of a loop that has ended.
var errEnded = errors.New("speaker: it ends")

// do runs f on the loop and waits for it.
func (c controller) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	c.Call(func() { f(); close(done) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errEnded
	}
}

// with runs f on a session.
func (c controller) with(ctx context.Context, name string, f func(*bfd.Session, clock.Instant) error) error {
	var err error
	if waited := c.do(ctx, func() {
		i := slices.IndexFunc(c.sessions, func(x *session) bool { return x.cfg.Name == name })
		if i < 0 {
			err = fmt.Errorf("speaker: no session is named %q", name)
			return
		}
		x := c.sessions[i]
		if x.peered == nil {
			err = fmt.Errorf("speaker: session %q is unaffiliated: it has no peer to negotiate with, and only the states Up, Init and Down (RFC 9747 2)", name)
			return
		}
		err = f(x.peered, x.instant(boottime.Now()))
		c.settle(x)
	}); waited != nil {
		return waited
	}
	return err
}

// AdminDown implements control.Speaker.
func (c controller) AdminDown(ctx context.Context, name string, down bool) error {
	return c.with(ctx, name, func(s *bfd.Session, now clock.Instant) error { s.SetAdminDown(now, down); return nil })
}

// Intervals implements control.Speaker.
func (c controller) Intervals(ctx context.Context, name string, tx, rx time.Duration) error {
	return c.with(ctx, name, func(s *bfd.Session, now clock.Instant) error { return s.SetIntervals(now, tx, rx) })
}

// Demand implements control.Speaker.
func (c controller) Demand(ctx context.Context, name string, on bool) error {
	return c.with(ctx, name, func(s *bfd.Session, now clock.Instant) error { s.SetDemand(now, on); return nil })
}

// Poll implements control.Speaker.
func (c controller) Poll(ctx context.Context, name string) error {
	return c.with(ctx, name, func(s *bfd.Session, now clock.Instant) error { s.Poll(now); return nil })
}

// Reset implements control.Speaker.
func (c controller) Reset(ctx context.Context, name string) error {
	return c.with(ctx, name, func(s *bfd.Session, now clock.Instant) error { s.ResetForwardingPlane(now); return nil })
}

// Stop implements control.Speaker.
func (c controller) Stop(context.Context) error {
	c.Speaker.Stop()
	return nil
}

// Stop ends Run.
func (s *Speaker) Stop() { s.Call(func() { s.ended = true }) }

// Status implements control.Speaker.
func (c controller) Status(ctx context.Context) (control.BFDStatus, error) {
	var status control.BFDStatus
	var err error
	if waited := c.do(ctx, func() {
		status = control.BFDStatus{Now: boottime.Now(), NoSession: c.strays + c.echoes.damaged(), LateMax: c.lateMax}
		status.Filtered, err = c.filtered()
		for _, x := range c.sessions {
			status.Sessions = append(status.Sessions, x.status())
		}
	}); waited != nil {
		return status, waited
	}
	return status, err
}

// filtered sums up the kernel's drops of all sockets.
func (s *Speaker) filtered() (map[string]uint64, error) {
	var sockets []interface{ Drops() (bfdio.Drops, error) }
	for _, r := range s.receives {
		sockets = append(sockets, r)
	}
	for _, l := range s.echoes.links {
		sockets = append(sockets, l)
	}
	var sum [bfd.DropKinds]uint64
	for _, socket := range sockets {
		drops, err := socket.Drops()
		if err != nil {
			return nil, err
		}
		for reason, n := range drops.Reasons {
			sum[reason] += n
		}
	}
	return byReason(sum), nil
}

// byReason names the counters that are not 0.
func byReason(drops [bfd.DropKinds]uint64) map[string]uint64 {
	named := map[string]uint64{}
	for reason, n := range drops {
		if n > 0 {
			named[bfd.Drop(reason).String()] = n
		}
	}
	return named
}

func (x *session) status() control.BFDSession {
	out := control.BFDSession{
		Name: x.cfg.Name, Mode: string(x.cfg.Mode), Interface: x.cfg.Interface,
		Peer: x.cfg.Peer.String(), Local: x.cfg.Local.String(),
		State: x.State().String(), Diag: x.LocalDiag().String(), LocalDiscr: x.discr,
		Transmit: x.TransmitInterval(), Detection: x.DetectionTime(), LastReceived: x.lastReceived(),
		Changes: []control.BFDChange{}, Counters: x.counters(),
	}
	if x.sender != nil {
		out.SourcePort = x.sender.SourcePort()
	}
	if x.peered != nil {
		x.peer(&out)
	}
	out.Echo = x.echoStatus()
	for i := max(x.noted, keptChanges) - keptChanges; i < x.noted; i++ {
		c := x.changes[i%keptChanges]
		out.Changes = append(out.Changes, control.BFDChange{
			At: c.At, From: c.From.String(), To: c.To.String(), Diag: c.Diag.String(),
			LastReceived: c.lastReceived, Detection: c.detection,
		})
	}
	return out
}

// peer fills in what both sides announce.
func (x *session) peer(out *control.BFDSession) {
	v := x.peered.Variables()
	out.RemoteState, out.RemoteDiag, out.RemoteDiscr = x.peered.RemoteState().String(), x.peered.RemoteDiag().String(), x.peered.RemoteDiscr()
	out.Ours = control.BFDTimers{MinTx: v.DesiredMinTxInterval, MinRx: v.RequiredMinRxInterval, DetectMult: v.DetectMult}
	out.Theirs = control.BFDTimers{MinTx: v.RemoteMinTxInterval, MinRx: v.RemoteMinRxInterval, DetectMult: v.RemoteDetectMult}
	out.Polling, out.Demand = v.Polling, v.RemoteDemandMode
}

// echoStatus returns the status of the Echo function, nil if the session does not use it.
func (x *session) echoStatus() *control.BFDEcho {
	var out control.BFDEcho
	switch {
	case x.loop != nil:
		stats := x.Stats()
		out = control.BFDEcho{Active: true, Transmit: x.TransmitInterval(), Detection: x.DetectionTime(),
			Sent: stats.Sent, Received: stats.Received, LastReceived: x.lastReceived()}
	case x.cfg.Echo.IsZero():
		return nil
	default:
		stats := x.Stats()
		out = control.BFDEcho{Active: x.peered.EchoActive(), OursMinRx: time.Duration(x.cfg.Echo.RX), TheirsMinRx: x.peered.Variables().RemoteMinEchoRxInterval,
			Sent: stats.EchoSent, Received: stats.EchoReceived}
		if x.echo != nil {
			out.Transmit, out.Detection, out.LastReceived = x.peered.EchoTransmitInterval(), x.peered.EchoDetectionTime(), x.peered.LastEcho()
		}
	}
	if x.echo != nil {
		out.Neighbour = x.echo.Neighbour().String()
	}
	return &out
}

func (x *session) counters() control.BFDCounters {
	stats := x.Stats()
	return control.BFDCounters{
		Sent: stats.Sent, Received: stats.Received,
		Ups: stats.Ups, Downs: stats.Downs, ReceiveGapMax: stats.ReceiveGapMax, AdvanceLateMax: stats.AdvanceLateMax,
		SendErrors: x.failed, Dropped: byReason(stats.Drops),
	}
}
