package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Connector probes one host by opening TCP connections to it. A refused connection counts as an
// answer too.
type Connector struct {
	Target netip.AddrPort
	Source netip.Addr // to connect from; chosen by the route if not valid
	// Every is the interval of the probes and the timeout of an answer.
	Every time.Duration
	// Report is called once per probe, from Run's goroutine.
	Report func(answered bool)
	Log    *slog.Logger
}

// Run probes until ctx is done.
func (c *Connector) Run(ctx context.Context) {
	failure := ""
	for next := time.Now(); ctx.Err() == nil; pause(ctx, time.Until(next)) {
		next = later(next.Add(c.Every), time.Now())
		answered, why := c.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		c.Report(answered)
		if why != failure && why != "" {
			c.Log.Warn("gateway does not answer", "gateway", c.Target, "error", why)
		}
		failure = why
	}
}

func (c *Connector) probe(ctx context.Context) (answered bool, why string) {
	if err := Connect(ctx, c.Target, c.Source, c.Every); err != nil {
		return false, err.Error()
	}
	return true, ""
}

// Connect opens and closes one connection. A refusal is no error.
func Connect(ctx context.Context, target netip.AddrPort, source netip.Addr, timeout time.Duration) error {
	dialer := net.Dialer{Timeout: timeout}
	if source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	conn, err := dialer.DialContext(ctx, "tcp", target.String())
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err != nil {
		return err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // leaves no port in TIME_WAIT
	}
	return conn.Close()
}

// Ping sends an echo request every tenth of the timeout until one is answered.
func Ping(ctx context.Context, target, source netip.Addr, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answers := false
	p, err := New(Config{
		Targets: []netip.Addr{target}, Source: source, Every: timeout / 10, Log: slog.New(slog.DiscardHandler),
		Report: func(_ netip.Addr, answered bool) {
			if answered {
				answers = true
				cancel()
			}
		},
	})
	if err != nil {
		return err
	}
	defer p.Close()
	if p.Run(ctx); !answers {
		return fmt.Errorf("no echo reply within %v", timeout)
	}
	return nil
}
