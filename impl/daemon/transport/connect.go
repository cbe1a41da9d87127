package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// maxHandshakes limits the number of connections in authentication.
const maxHandshakes = 8

var errCrowded = fmt.Errorf("%d other connections from the peer's address are in authentication", maxHandshakes)

// dialLoop keeps one stream established.
func (t *Transport) dialLoop(ctx context.Context) {
	tries := backoff{first: t.cfg.Retry, limit: t.cfg.RetryMax}
	for ctx.Err() == nil {
		select {
		case <-t.heard: // before this attempt
		default:
		}
		t.attempt(ctx, &tries)
		pause := tries.pause()
		t.history.retries(time.Now().Add(pause))
		heard := t.heard
		if tries.failures > 0 {
			heard = nil // the cause does not go away by itself
		}
		select {
		case <-ctx.Done():
		case <-heard:
		case <-time.After(pause):
		}
	}
}

// attempt dials, and returns when the stream has ended or the attempt has failed.
func (t *Transport) attempt(ctx context.Context, tries *backoff) {
	conn, end := t.dial(ctx)
	switch {
	case conn != nil:
		up := time.Now()
		<-t.start(ctx, conn).done
		if time.Since(up) >= settled {
			tries.reset()
		}
		tries.failed()
	case ctx.Err() != nil:
	case end.Cause == Unreachable || end.Cause == Silent:
		t.note(end)
		tries.reset() // not refused: link or peer may be back at any moment
	default:
		t.note(end)
		tries.failed()
	}
}

// dial connects, authenticates, and waits until the listening end has authenticated this
// one: in TLS 1.3 the client's handshake ends before the server has seen its certificate.
func (t *Transport) dial(ctx context.Context) (*tls.Conn, End) {
	dialer := net.Dialer{
		LocalAddr:       &net.TCPAddr{IP: t.cfg.Local.Addr().AsSlice()},
		Timeout:         t.cfg.DialTimeout,
		KeepAliveConfig: keepAlive,
	}
	raw, err := dialer.DialContext(ctx, "tcp", t.cfg.Remote.String())
	if err != nil {
		return nil, failed(Unreachable, "dial", err)
	}
	under, err := newWire(raw)
	if err != nil {
		raw.Close()
		return nil, failed(Unreachable, "dial", err)
	}
	conn := tls.Client(under, t.tls)
	err = t.handshake(ctx, conn)
	if err == nil {
		err = t.awaitAccept(conn)
	}
	if err != nil {
		raw.Close()
		return nil, failed(unproven(err), "dial", err)
	}
	return conn, End{}
}

// awaitAccept reads the empty frame by which the peer accepts.
func (t *Transport) awaitAccept(conn *tls.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(t.cfg.HandshakeTimeout)); err != nil {
		return err
	}
	if _, err := readFrame(conn, 0); err != nil {
		return fmt.Errorf("refused by the peer: %w", err)
	}
	return conn.SetReadDeadline(time.Time{})
}

// acceptLoop authenticates incoming connections; the peer's newest connection becomes the
// stream.
func (t *Transport) acceptLoop(ctx context.Context) {
	slots := make(chan struct{}, maxHandshakes)
	for ctx.Err() == nil {
		raw, err := t.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			t.note(failed(Unreachable, "accept", err))
			time.Sleep(t.cfg.Retry) // out of descriptors: wait
			continue
		}
		if raw.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap() != t.cfg.Remote.Addr() {
			t.note(failed(Unauthenticated, "accept", fmt.Errorf("%w: connection from %v", errPeer, raw.RemoteAddr().(*net.TCPAddr).IP)))
			raw.Close()
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			t.note(failed(Unauthenticated, "accept", errCrowded))
			raw.Close()
			continue
		}
		t.streams.Go(func() {
			defer func() { <-slots }()
			if err := t.accept(ctx, raw); err != nil {
				raw.Close()
				if ctx.Err() == nil {
					t.note(failed(unproven(err), "accept", err))
				}
			}
		})
	}
}

func (t *Transport) accept(ctx context.Context, raw net.Conn) error {
	under, err := newWire(raw)
	if err != nil {
		return err
	}
	conn := tls.Server(under, t.tls)
	if err := t.handshake(ctx, conn); err != nil {
		return err
	}
	if err := conn.SetWriteDeadline(time.Now().Add(t.cfg.HandshakeTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write(appendHeader(nil, 0)); err != nil {
		return err
	}
	if err := conn.SetWriteDeadline(time.Time{}); err != nil {
		return err
	}
	t.start(ctx, conn)
	return nil
}

func (t *Transport) handshake(ctx context.Context, conn *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.HandshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	if agreed := conn.ConnectionState().NegotiatedProtocol; !slices.Contains(t.cfg.Protocols, agreed) {
		return fmt.Errorf("%w: it speaks none of %s", errPeer, strings.Join(t.cfg.Protocols, ", "))
	}
	return nil
}
