package checker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// pinger sends ICMP echo requests (RFC 792) of all checks over one socket.
type pinger struct {
	log  *slog.Logger
	conn *icmp.PacketConn
	id   int

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
	conn, err := icmp.ListenPacket("ip4:icmp", "0.0.0.0")
	if err != nil {
		return nil, fmt.Errorf("checker: open ICMP socket: %w", err)
	}
	return &pinger{log: log, conn: conn, id: rand.IntN(1 << 16), waiting: map[echo]chan struct{}{}}, nil
}

func (p *pinger) close() { p.conn.Close() }

// run reads replies until ctx is done.
func (p *pinger) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { p.conn.SetReadDeadline(time.Unix(0, 1)) })
	defer stop()
	buf := make([]byte, 1500)
	for ctx.Err() == nil {
		n, from, err := p.conn.ReadFrom(buf)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
				p.log.Warn("ping replies of backends cannot be read", "error", err)
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
			continue
		}
		if sender, ok := from.(*net.IPAddr); ok {
			addr, _ := netip.AddrFromSlice(sender.IP.To4())
			p.take(buf[:n], addr)
		}
	}
}

// take passes a reply to the check that waits for it.
func (p *pinger) take(packet []byte, from netip.Addr) {
	message, err := icmp.ParseMessage(ipv4.ICMPTypeEchoReply.Protocol(), packet)
	if err != nil || message.Type != ipv4.ICMPTypeEchoReply {
		return
	}
	body, ok := message.Body.(*icmp.Echo)
	if !ok || body.ID != p.id {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := echo{from, uint16(body.Seq)}
	if answered, waits := p.waiting[key]; waits {
		delete(p.waiting, key)
		close(answered)
	}
}

// ping returns when the host has replied.
func (p *pinger) ping(ctx context.Context, host netip.Addr) error {
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
	message := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: p.id, Seq: int(key.seq)}}
	packet, err := message.Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := p.conn.WriteTo(packet, &net.IPAddr{IP: host.AsSlice()}); err != nil {
		return err
	}
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
