// Package transport carries the sync stream between the two nodes of a pair: TCP with
// mutual TLS 1.3, in frames of bounded length. The node with the lexically smaller id dials
// and the other listens, so that there is one stream. The package does not interpret what
// it carries, and does not judge whether the peer is alive: BFD does, and the daemon's loop
// resets a stream that the core has abandoned.
//
// Send, Reset and PeerHeard never block, because the loop that keeps the heartbeat calls them.
package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config configures a Transport. Zero durations and limits mean the defaults named here.
type Config struct {
	ID, Peer string
	// Local and Remote are the two ends on the sync link. The dialling end uses Local's
	// address with an ephemeral port.
	Local, Remote netip.AddrPort
	// NotFrom are the indexes of the links on which the port must not answer.
	NotFrom []int
	// TLS is used by both ends, see pki.Identity.Peer.
	TLS *tls.Config
	// Protocols are the supported protocols, the preferred first. The ends agree on one by
	// ALPN (RFC 7301), by the listening end's preference.
	Protocols []string
	Log       *slog.Logger

	// Retry is the maximum pause before the first attempt after a lost stream, and while
	// the peer cannot be reached. Attempts that the peer refuses back off to one every
	// RetryMax. Default 50 ms and 5 s.
	Retry, RetryMax time.Duration
	// DialTimeout limits the TCP handshake. It is short, because a lost SYN is only
	// repeated after a second: dialling again is faster. Default 250 ms.
	DialTimeout time.Duration
	// HandshakeTimeout limits the TLS handshake. Default 2 s.
	HandshakeTimeout time.Duration
	// MaxFrame is the maximum payload of a frame in bytes. Default 1 MiB.
	MaxFrame int
	// MaxQueued is how many bytes may be queued before the stream is closed: the peer does
	// not read, and a sender that blocks would miss its heartbeat. Default 32 MiB.
	MaxQueued int
}

func (c Config) withDefaults() Config {
	setDefault(&c.Retry, 50*time.Millisecond)
	setDefault(&c.RetryMax, 5*time.Second)
	setDefault(&c.DialTimeout, 250*time.Millisecond)
	setDefault(&c.HandshakeTimeout, 2*time.Second)
	setDefault(&c.MaxFrame, 1<<20)
	setDefault(&c.MaxQueued, 32<<20)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Handler receives the events of streams. A blocking method slows only the stream down.
// Stream ids increase.
type Handler interface {
	// StreamUp reports a new stream and which of Config.Protocols both ends have agreed on.
	StreamUp(id uint64, protocol string)
	StreamDown(id uint64, why string)
	StreamFrame(id uint64, payload []byte)
}

// Transport keeps one stream to the peer.
type Transport struct {
	cfg      Config
	tls      *tls.Config
	handler  Handler
	listener net.Listener // nil at the dialling end

	current atomic.Pointer[stream]
	lastID  atomic.Uint64
	streams sync.WaitGroup
	install sync.Mutex // serialises the replacement of streams

	history history
	heard   chan struct{} // capacity 1, see PeerHeard
}

// New returns a transport. The listening end's port is bound when it returns. Nothing is
// dialled or accepted before Run.
func New(cfg Config, handler Handler) (*Transport, error) {
	t := &Transport{cfg: cfg.withDefaults(), handler: handler, heard: make(chan struct{}, 1)}
	t.tls = t.cfg.TLS.Clone()
	t.tls.NextProtos = t.cfg.Protocols
	if t.dials() {
		return t, nil
	}
	listener, err := listen(t.cfg)
	if err != nil {
		return nil, err
	}
	t.listener = listener
	return t, nil
}

// keepAlive eventually detects a dead stream that nobody resets. It is far too slow for a
// failover.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

// Close closes the port of a transport that has not run; Run does that itself.
func (t *Transport) Close() {
	if t.listener != nil {
		t.listener.Close()
	}
}

// dials reports whether this end dials.
func (t *Transport) dials() bool { return t.cfg.ID < t.cfg.Peer }

// Run dials or accepts until ctx is done, and returns when every stream has ended.
func (t *Transport) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		t.end()
		t.Close()
	})
	defer stop()
	if t.dials() {
		t.dialLoop(ctx)
	} else {
		t.acceptLoop(ctx)
	}
	t.end()
	t.streams.Wait()
}

// Send writes one frame on the stream with the given id or queues it, and drops it if that is
// no longer the current stream. The payload is not copied.
func (t *Transport) Send(id uint64, payload []byte) {
	if s := t.current.Load(); s != nil && s.id == id {
		s.send(payload)
	}
}

// Reset ends the stream with the given id, if it is the current one, and tells the peer
// why; another one is then established.
func (t *Transport) Reset(id uint64, why string) {
	if s := t.current.Load(); s != nil && s.id == id {
		s.leave(End{EndedHere, why})
	}
}

// PeerHeard ends the pause after an attempt that could not reach the peer: its heartbeat has begun,
// and its port is open by then. It never blocks.
func (t *Transport) PeerHeard() {
	select {
	case t.heard <- struct{}{}:
	default:
	}
}

// end closes the current stream.
func (t *Transport) end() {
	if s := t.current.Load(); s != nil {
		s.close(End{Stopped, "shutting down"})
	}
}

// Flush waits until queued frames were passed to the kernel, for at most the given time.
func (t *Transport) Flush(limit time.Duration) {
	if s := t.current.Load(); s != nil {
		s.flush(limit)
	}
}

// start makes a connection the current stream and closes the previous one.
func (t *Transport) start(ctx context.Context, conn *tls.Conn) *stream {
	t.install.Lock()
	defer t.install.Unlock()
	s := newStream(t.lastID.Add(1), conn, t.cfg)
	if old := t.current.Swap(s); old != nil {
		old.close(End{Replaced, "by a newer one"})
	}
	if ctx.Err() != nil {
		s.close(End{Stopped, "shutting down"}) // Run has only closed the stream before this one
	}
	t.history.up(time.Now())
	t.handler.StreamUp(s.id, conn.ConnectionState().NegotiatedProtocol)
	t.streams.Go(func() { s.write() })
	t.streams.Go(func() {
		s.read(t.handler)
		<-s.done
		if t.current.CompareAndSwap(s, nil) {
			t.history.lost(time.Now())
		}
		t.note(s.end)
		t.handler.StreamDown(s.id, s.end.String())
	})
	return s
}

// errPeer is wrapped by errors of the other end.
var errPeer = errors.New("transport: not the peer")
