package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// maxHandshakes bounds the connections that are being authenticated at once.
const maxHandshakes = 8

// dialLoop keeps one stream up.
func (t *Transport) dialLoop(ctx context.Context) {
	for ctx.Err() == nil {
		if conn, err := t.dial(ctx); err == nil {
			<-t.start(ctx, conn).done
		} else if ctx.Err() == nil {
			t.fail("dial", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(t.cfg.Retry):
		}
	}
}

// dial connects, authenticates, and waits until the listening end has
// authenticated this one: in TLS 1.3 the client's handshake is done before the
// server has seen its certificate.
func (t *Transport) dial(ctx context.Context) (*tls.Conn, error) {
	dialer := net.Dialer{
		LocalAddr:       &net.TCPAddr{IP: t.cfg.Local.Addr().AsSlice()},
		Timeout:         t.cfg.DialTimeout,
		KeepAliveConfig: keepAlive,
	}
	raw, err := dialer.DialContext(ctx, "tcp4", t.cfg.Remote.String())
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, t.tls)
	err = t.handshake(ctx, conn)
	if err == nil {
		err = t.awaitAccept(conn)
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// awaitAccept reads the empty frame that says that the peer has accepted.
func (t *Transport) awaitAccept(conn *tls.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(t.cfg.HandshakeTimeout)); err != nil {
		return err
	}
	if _, err := readFrame(conn, 0); err != nil {
		return fmt.Errorf("refused by the peer: %w", err)
	}
	return conn.SetReadDeadline(time.Time{})
}

// acceptLoop authenticates whoever connects; the peer's newest connection becomes
// the stream.
func (t *Transport) acceptLoop(ctx context.Context) {
	slots := make(chan struct{}, maxHandshakes)
	for ctx.Err() == nil {
		raw, err := t.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			t.fail("accept", err)
			time.Sleep(t.cfg.Retry) // out of descriptors: waiting is all that helps
			continue
		}
		if raw.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap() != t.cfg.Remote.Addr() {
			t.fail("accept", fmt.Errorf("%w: connection from %v", errPeer, raw.RemoteAddr()))
			raw.Close()
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			raw.Close()
			continue
		}
		t.streams.Go(func() {
			defer func() { <-slots }()
			if err := t.accept(ctx, raw); err != nil {
				raw.Close()
				if ctx.Err() == nil {
					t.fail("accept", err)
				}
			}
		})
	}
}

func (t *Transport) accept(ctx context.Context, raw net.Conn) error {
	conn := tls.Server(raw, t.tls)
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
	if conn.ConnectionState().NegotiatedProtocol != alpn {
		return fmt.Errorf("%w: it does not speak %s", errPeer, alpn)
	}
	return nil
}
