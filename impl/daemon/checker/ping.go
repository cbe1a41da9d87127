package checker

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"baton/impl/daemon/internal/ping"
)

// pinger sends echo requests of all checks over one socket a family.
type pinger struct {
	log    *slog.Logger
	v4, v6 *ping.Conn
	lacks  error // why there is no v6: the kernel may have no IPv6

	mu      sync.Mutex
	seq     uint16
	waiting map[echo]chan struct{}
}

// echo identifies an echo reply.
type echo struct {
	from netip.Addr
	seq  uint16
}

func newPinger(log *slog.Logger) (*pinger, error) {
	p := &pinger{log: log, waiting: map[echo]chan struct{}{}}
	var err error
	if p.v4, err = ping.Listen(netip.IPv4Unspecified()); err != nil {
		return nil, err
	}
	p.v6, p.lacks = ping.Listen(netip.IPv6Unspecified())
	return p, nil
}

func (p *pinger) close() {
	p.v4.Close()
	if p.v6 != nil {
		p.v6.Close()
	}
}

// run reads replies until ctx is done.
func (p *pinger) run(ctx context.Context) {
	var readers sync.WaitGroup
	if p.v6 != nil {
		readers.Go(func() { p.read(ctx, p.v6) })
	}
	p.read(ctx, p.v4)
	readers.Wait()
}

func (p *pinger) read(ctx context.Context, conn *ping.Conn) {
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(0, 1)) })
	defer stop()
	for ctx.Err() == nil {
		from, seq, ok, err := conn.Reply()
		switch {
		case ok:
			p.take(echo{from, seq})
		case err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed):
			p.log.Warn("ping replies of backends cannot be read", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

// take passes a reply to the check that waits for it.
func (p *pinger) take(key echo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if answered, waits := p.waiting[key]; waits {
		delete(p.waiting, key)
		close(answered)
	}
}

// ping returns when the host has replied.
func (p *pinger) ping(ctx context.Context, host netip.Addr) error {
	conn := p.v4
	if host.Is6() {
		conn = p.v6
	}
	if conn == nil {
		return p.lacks
	}
	answered := make(chan struct{})
	p.mu.Lock()
	p.seq++
	key := echo{host, p.seq}
	p.waiting[key] = answered
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.waiting, key)
		p.mu.Unlock()
	}()
	if err := conn.Request(host, key.seq); err != nil {
		return err
	}
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
