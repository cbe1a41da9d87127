// Package probe probes the hosts that a node tracks and its gateway: it sends each an ICMP echo
// request periodically, or opens a TCP connection to the gateway, and reports whether
// the answer came before the next probe. It counts nothing and decides nothing; the core does
// (node.Track, node.Gateway). The daemon runs each prober on its own goroutine and socket. Pings
// need CAP_NET_RAW.
package probe

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"baton/impl/daemon/internal/ping"
)

// Config configures a Prober.
type Config struct {
	Targets []netip.Addr // of one family
	// Source is the address to probe from; chosen by the route if not valid.
	Source netip.Addr
	// Every is the interval of a target's requests and the timeout of a reply.
	Every time.Duration
	// Report is called once per request, from Run's goroutine.
	Report func(target netip.Addr, answered bool)
	Log    *slog.Logger
}

// Prober probes from one network namespace.
type Prober struct {
	cfg     Config
	conn    *ping.Conn
	seq     uint16 // of the current round
	rounds  uint64
	targets map[netip.Addr]*state
}

// state is the state of a target's request in this round.
type state struct {
	answered bool
	failure  string // the last logged failure to send
}

// New returns a prober for the calling thread's network namespace.
func New(cfg Config) (*Prober, error) {
	source := cfg.Source
	if !source.IsValid() {
		source = ping.Unspecified(cfg.Targets[0])
	}
	conn, err := ping.Listen(source)
	if err != nil {
		return nil, err
	}
	p := &Prober{cfg: cfg, conn: conn, targets: map[netip.Addr]*state{}}
	for _, t := range cfg.Targets {
		p.targets[t] = &state{}
	}
	return p, nil
}

// Close closes the socket, after Run has returned.
func (p *Prober) Close() { p.conn.Close() }

// Run probes until ctx is done.
func (p *Prober) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { p.conn.SetReadDeadline(time.Unix(0, 1)) })
	defer stop()
	for next := time.Now(); ctx.Err() == nil; {
		if p.rounds > 0 {
			p.report()
		}
		p.send()
		// Missed rounds are not made up for.
		next = later(next.Add(p.cfg.Every), time.Now())
		p.listen(ctx, next)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// send begins a round.
func (p *Prober) send() {
	p.seq++
	p.rounds++
	for _, addr := range p.cfg.Targets {
		p.targets[addr].answered = false
		p.note(addr, p.conn.Request(addr, p.seq))
	}
}

// drain is how long a late round still reads: replies in the socket arrived in time.
const drain = time.Millisecond

// listen reads replies until the next round is due.
func (p *Prober) listen(ctx context.Context, until time.Time) {
	deadline := later(until, time.Now().Add(drain))
	p.conn.SetReadDeadline(deadline)
	for ctx.Err() == nil { // checked after the deadline was set, which the end of ctx shortens
		from, seq, ok, err := p.conn.Reply()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			p.cfg.Log.Warn("replies of probed hosts cannot be read", "error", err)
			pause(ctx, time.Until(deadline))
			return
		case ok:
			p.take(from, seq)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// take notes a reply of this round.
func (p *Prober) take(from netip.Addr, seq uint16) {
	if target := p.targets[from]; target != nil && seq == p.seq {
		target.answered = true
	}
}

// report reports the results of the round.
func (p *Prober) report() {
	for _, addr := range p.cfg.Targets {
		p.cfg.Report(addr, p.targets[addr].answered)
	}
}

// note logs a failure to send, if it differs from the previous one.
func (p *Prober) note(addr netip.Addr, err error) {
	failure := ""
	if err != nil {
		failure = err.Error()
	}
	if target := p.targets[addr]; failure != target.failure {
		target.failure = failure
		if err != nil {
			p.cfg.Log.Warn("host cannot be probed", "host", addr, "error", err)
		}
	}
}
