// Package checker runs single health checks of backends: a TCP connection, an SCTP INIT, an HTTP request,
// a gRPC health check, a ping, a datagram without a port unreachable in return, a script.
// Package health counts the results and decides. A check always ends with its timeout, even
// if the backend or the script hangs. Package checkproc runs the checks of a node.
package checker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"baton/impl/daemon/config"
)

// Checker probes from one network namespace.
type Checker struct {
	pings    *pinger
	refusals refusals
}

// New returns a checker for the calling thread's network namespace. It needs CAP_NET_RAW.
func New(log *slog.Logger) (*Checker, error) {
	pings, err := newPinger(log)
	if err != nil {
		return nil, err
	}
	return &Checker{pings: pings}, nil
}

// Run delivers answers to the probes until ctx is done.
func (c *Checker) Run(ctx context.Context) { c.pings.run(ctx) }

// Close closes the checker's sockets, after Run has returned.
func (c *Checker) Close() { c.pings.close() }

// ErrUndecided is the result of a probe that shows neither that a backend serves nor that it does not.
var ErrUndecided = errors.New("the probe shows nothing")

// punctuality is the part of its timeout by which a probe may notice late that it is over. One that is later
// was kept from running, and the answer may have come in time.
const punctuality = 4

// Probe probes a backend of a service once. The error says why the probe failed.
func (c *Checker) Probe(ctx context.Context, s config.Service, backend netip.AddrPort) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timeout, began := time.Duration(s.Check.Timeout), time.Now()
	var late atomic.Int64
	defer time.AfterFunc(timeout, func() {
		late.Store(int64(time.Since(began) - timeout))
		cancel()
	}).Stop()
	at := backend
	if s.Check.Port != 0 {
		at = netip.AddrPortFrom(backend.Addr(), s.Check.Port)
	}
	kind := s.Check.Type
	if of, known := portChecks[s.Proto]; known && kind == config.CheckPort {
		kind = of
	}
	err := c.probe(ctx, kind, s, at, backend)
	switch late := time.Duration(late.Load()); {
	case err == nil || ctx.Err() == nil:
		return brief(err)
	case late > timeout/punctuality:
		return fmt.Errorf("%w: its timeout was noticed %v late", ErrUndecided, late)
	}
	return fmt.Errorf("no answer within %v", s.Check.Timeout)
}

// portChecks are the checks of a service's own port by another type than port.
var portChecks = map[config.Proto]config.CheckType{config.TCP: config.CheckTCP, config.SCTP: config.CheckSCTP}

func (c *Checker) probe(ctx context.Context, kind config.CheckType, s config.Service, at, backend netip.AddrPort) error {
	switch kind {
	case config.CheckTCP:
		return connect(ctx, at)
	case config.CheckSCTP:
		return initiate(ctx, at)
	case config.CheckPort:
		return c.datagram(ctx, at)
	case config.CheckHTTP, config.CheckHTTPS:
		return request(ctx, s.Check, at)
	case config.CheckGRPC, config.CheckGRPCS:
		return call(ctx, s.Check, at)
	case config.CheckICMP:
		return c.pings.ping(ctx, at.Addr())
	case config.CheckScript:
		return script(ctx, s, backend)
	}
	return fmt.Errorf("checker: no probe of type %q", kind)
}

// brief strips the addresses from a network error, since the message around it names the
// backend.
func brief(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// connect opens a connection and closes it.
func connect(ctx context.Context, at netip.AddrPort) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return err
	}
	return conn.Close()
}

// datagram sends an empty datagram and then a ping. A host that answers the ping has
// already handled the datagram, so a port unreachable would have arrived by then.
func (c *Checker) datagram(ctx context.Context, at netip.AddrPort) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", at.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(nil); err != nil {
		return err
	}
	if err := c.pings.ping(ctx, at.Addr()); err != nil {
		return err
	}
	return c.refusals.judge(at, pendingError(conn.(*net.UDPConn)), time.Now())
}
