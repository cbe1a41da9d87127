package interop_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"baton/netns/peers"
)

// peer is one of the implementations.
type peer interface {
	// set runs the session with both intervals; false holds it down.
	set(ctx context.Context, interval time.Duration, enabled bool) error
	// report is what the peer says of its session.
	report(ctx context.Context) (report, error)
	kill(ctx context.Context) error
	pid() int // of the process that has the session
}

// report is the peer's view of a session: state, transmit interval and Detection Time (0 if
// it does not report it).
type report struct {
	state               string
	transmit, detection time.Duration
}

// kind is how a session with a peer is set up.
type kind struct {
	name     string // of the peer
	protocol string
	multihop bool
	echo     bool   // it sends echo packets, every 50 ms
	auth     string // in BIRD's language, "" for none
}

func start(t *testing.T, l *lab, k kind, interval time.Duration) peer {
	t.Helper()
	var (
		p   peer
		err error
	)
	if k.name == "FRR" {
		if missing := peers.MissingFRR(); missing != nil {
			t.Skip(missing)
		}
		p, err = startFRR(l, k, interval)
	} else {
		if missing := peers.MissingBIRD(); missing != nil {
			t.Skip(missing)
		}
		p, err = startBIRD(l, k, interval)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type frrPeer struct {
	kind kind
	*peers.FRR
}

func (p *frrPeer) head() string {
	us, them := ourAddr[p.kind.protocol], theirAddr[p.kind.protocol]
	switch {
	case p.kind.multihop:
		return fmt.Sprintf("peer %s multihop local-address %s", us, them)
	case p.kind.protocol == "IPv6":
		return fmt.Sprintf("peer %s local-address %s interface b0", us, them)
	}
	return fmt.Sprintf("peer %s interface b0", us)
}

func startFRR(l *lab, k kind, interval time.Duration) (peer, error) {
	p := &frrPeer{kind: k}
	ms, echo := interval.Milliseconds(), ""
	if k.echo {
		echo = "  echo-mode\n  echo transmit-interval 50\n"
	}
	var err error
	p.FRR, err = peers.StartFRR(l.ctx, l.theirs, fmt.Sprintf("bfd\n %s\n  receive-interval %d\n  transmit-interval %d\n%s !\n!\n", p.head(), ms, ms, echo))
	if err == nil {
		l.t.Cleanup(func() { _ = p.FRR.Close(context.Background()) })
	}
	return p, err
}

func (p *frrPeer) set(ctx context.Context, interval time.Duration, enabled bool) error {
	shutdown := "shutdown"
	if enabled {
		shutdown = "no shutdown"
	}
	ms := interval.Milliseconds()
	return p.Configure(ctx, "bfd", p.head(), fmt.Sprintf("receive-interval %d", ms), fmt.Sprintf("transmit-interval %d", ms), shutdown)
}

func (p *frrPeer) report(ctx context.Context) (report, error) {
	sessions, err := p.Sessions(ctx)
	if err != nil || len(sessions) == 0 {
		return report{}, err
	}
	s := sessions[0]
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return report{
		state:    map[string]string{"up": "Up", "init": "Init", "down": "Down", "shutdown": "AdminDown"}[s.Status],
		transmit: max(ms(s.TransmitInterval), ms(s.RemoteReceiveInterval)), detection: time.Duration(s.RemoteDetectMultiplier) * max(ms(s.ReceiveInterval), ms(s.RemoteTransmitInterval)),
	}, nil
}

func (p *frrPeer) pid() int { return p.Process().PID() }

func (p *frrPeer) kill(ctx context.Context) error { return p.Kill(ctx) }

type birdPeer struct {
	kind kind
	*peers.BIRD
}

func (p *birdPeer) config(interval time.Duration, enabled bool) string {
	if !enabled {
		return "protocol bfd { }\n"
	}
	us, them, ms := ourAddr[p.kind.protocol], theirAddr[p.kind.protocol], interval.Milliseconds()
	options := fmt.Sprintf("{ min rx interval %d ms; min tx interval %d ms; multiplier 3; %s }", ms, ms, p.kind.auth)
	if p.kind.multihop {
		return fmt.Sprintf("protocol bfd { multihop %s; neighbor %s local %s multihop yes; }\n", options, us, them)
	}
	return fmt.Sprintf("protocol bfd { interface \"b0\" %s; neighbor %s dev \"b0\" local %s; }\n", options, us, them)
}

func startBIRD(l *lab, k kind, interval time.Duration) (peer, error) {
	p := &birdPeer{kind: k}
	var err error
	p.BIRD, err = peers.StartBIRD(l.ctx, l.theirs, p.config(interval, true))
	if err == nil {
		l.t.Cleanup(func() { _ = p.BIRD.Close(context.Background()) })
	}
	return p, err
}

func (p *birdPeer) set(ctx context.Context, interval time.Duration, enabled bool) error {
	return p.Configure(ctx, p.config(interval, enabled))
}

func (p *birdPeer) report(ctx context.Context) (report, error) {
	sessions, err := p.Sessions(ctx)
	if err != nil || len(sessions) == 0 {
		return report{}, err
	}
	return report{state: sessions[0].State, transmit: sessions[0].Interval, detection: sessions[0].Timeout}, nil
}

func (p *birdPeer) pid() int { return p.Process().PID() }

func (p *birdPeer) kill(ctx context.Context) error { return p.Kill(ctx) }
