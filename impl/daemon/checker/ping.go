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
	"golang.org/x/net/ipv6"
)

// family is how hosts of a family are pinged: by ICMP (RFC 792) or ICMPv6 (RFC 4443).
type family struct {
	network, any   string
	request, reply icmp.Type
}

var (
	ofIPv4 = family{"ip4:icmp", "0.0.0.0", ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply}
	ofIPv6 = family{"ip6:ipv6-icmp", "::", ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply}
)

// pinger sends the echo requests of all checks over one socket for each family.
type pinger struct {
	log        *slog.Logger
	four       *icmp.PacketConn
	six        *icmp.PacketConn // nil on a host without IPv6
	withoutSix error            // why
	id         int

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
	p := &pinger{log: log, id: rand.IntN(1 << 16), waiting: map[echo]chan struct{}{}}
	var err error
	if p.four, err = icmp.ListenPacket(ofIPv4.network, ofIPv4.any); err != nil {
		return nil, fmt.Errorf("checker: open ICMP socket: %w", err)
	}
	p.six, p.withoutSix = icmp.ListenPacket(ofIPv6.network, ofIPv6.any)
	return p, nil
}

func (p *pinger) close() {
	p.four.Close()
	if p.six != nil {
		p.six.Close()
	}
}

// run reads replies until ctx is done.
func (p *pinger) run(ctx context.Context) {
	var readers sync.WaitGroup
	readers.Go(func() { p.read(ctx, p.four, ofIPv4) })
	if p.six != nil {
		readers.Go(func() { p.read(ctx, p.six, ofIPv6) })
	}
	readers.Wait()
}

// read reads the replies of a family.
func (p *pinger) read(ctx context.Context, conn *icmp.PacketConn, f family) {
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(0, 1)) })
	defer stop()
	buf := make([]byte, 1500)
	for ctx.Err() == nil {
		n, from, err := conn.ReadFrom(buf)
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
			addr, _ := netip.AddrFromSlice(sender.IP)
			p.take(buf[:n], addr.Unmap(), f.reply)
		}
	}
}

// take passes a reply to the check that waits for it.
func (p *pinger) take(packet []byte, from netip.Addr, reply icmp.Type) {
	message, err := icmp.ParseMessage(reply.Protocol(), packet)
	if err != nil || message.Type != reply {
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
	conn, request := p.four, ofIPv4.request
	if host.Is6() {
		conn, request = p.six, ofIPv6.request
	}
	if conn == nil {
		return p.withoutSix
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
	message := icmp.Message{Type: request, Body: &icmp.Echo{ID: p.id, Seq: int(key.seq)}}
	packet, err := message.Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := conn.WriteTo(packet, &net.IPAddr{IP: host.AsSlice()}); err != nil {
		return err
	}
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
