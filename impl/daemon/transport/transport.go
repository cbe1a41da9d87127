// Package transport carries the sync stream between the two nodes of a pair: TCP
// with mutual TLS 1.3, in frames of a bounded length. The node with the lexically
// smaller id dials and the other listens, so that one stream comes about and not
// two. The package knows nothing of what it carries, and it does not judge whether
// the peer is alive: that is BFD's matter, and the daemon's loop resets a stream
// that the core has given up.
//
// Send and Reset never block; they are called from the loop that also keeps the
// heartbeat.
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

// Config is what a Transport must know. Zero durations and limits take the
// defaults named here.
type Config struct {
	ID, Peer string
	// Local and Remote are the two ends on the sync link. The dialling end uses
	// Local's address with a port of the kernel's choice.
	Local, Remote netip.AddrPort
	// NotFrom are the links, by index, from which the port does not answer.
	NotFrom []int
	// TLS serves for both ends, see pki.Identity.Peer.
	TLS *tls.Config
	// Protocols are the names of what may be carried, the preferred first. The ends
	// agree on one by ALPN (RFC 7301), the listening end by its own preference.
	Protocols []string
	Log       *slog.Logger

	// Retry is the longest pause before the first attempt to dial after a stream was
	// lost, and while the peer cannot be reached. Attempts that the peer refuses come
	// ever less often, down to one every RetryMax. Default 50 ms and 5 s.
	Retry, RetryMax time.Duration
	// DialTimeout bounds the TCP handshake. It is short, because a lost SYN is
	// repeated only after a second: dialling anew is faster. Default 250 ms.
	DialTimeout time.Duration
	// HandshakeTimeout bounds the TLS handshake. Default 2 s.
	HandshakeTimeout time.Duration
	// MaxFrame is the longest payload of a frame, in bytes. Default 1 MiB.
	MaxFrame int
	// MaxQueued is how many bytes may wait to be written before the stream is given
	// up: the peer does not read, and a sender that blocks would miss its
	// heartbeat. Default 32 MiB.
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

// Handler is told what happens to streams. Its methods may block, which slows the
// stream down and nothing else. Each stream has an id larger than those before.
type Handler interface {
	// StreamUp says which of Config.Protocols both ends speak on the stream.
	StreamUp(id uint64, protocol string)
	StreamDown(id uint64, why string)
	StreamFrame(id uint64, payload []byte)
}

// Transport keeps one stream with the peer.
type Transport struct {
	cfg      Config
	tls      *tls.Config
	handler  Handler
	listener net.Listener // nil at the dialling end

	current atomic.Pointer[stream]
	lastID  atomic.Uint64
	streams sync.WaitGroup
	install sync.Mutex // one stream replaces another at a time

	history history
}

// New returns a transport; at the listening end, the port is bound when it
// returns. Nothing is dialled or accepted before Run.
func New(cfg Config, handler Handler) (*Transport, error) {
	t := &Transport{cfg: cfg.withDefaults(), handler: handler}
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

// keepAlive finds a dead stream in the end even if nobody resets it. It is far too
// slow to matter for a failover.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

// Close gives the port back of a transport that has not run; Run does it itself.
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

// Send queues one frame on the stream with the given id. If that is no longer the
// present one the frame is dropped: it continues a conversation that has ended.
// The payload is not copied.
func (t *Transport) Send(id uint64, payload []byte) {
	if s := t.current.Load(); s != nil && s.id == id {
		s.send(payload)
	}
}

// Reset closes the stream with the given id, if it is still the present one, and lets
// the peer know why; another is dialled or accepted.
func (t *Transport) Reset(id uint64, why string) {
	if s := t.current.Load(); s != nil && s.id == id {
		s.leave(End{EndedHere, why})
	}
}

// end closes whatever stream there is.
func (t *Transport) end() {
	if s := t.current.Load(); s != nil {
		s.close(End{Stopped, "shutting down"})
	}
}

// Flush waits until what was sent has been given to the kernel, for at most the
// given time.
func (t *Transport) Flush(limit time.Duration) {
	if s := t.current.Load(); s != nil {
		s.flush(limit)
	}
}

// start makes a connection the present stream; any earlier one is gone.
func (t *Transport) start(ctx context.Context, conn *tls.Conn) *stream {
	t.install.Lock()
	defer t.install.Unlock()
	s := newStream(t.lastID.Add(1), conn, t.cfg)
	if old := t.current.Swap(s); old != nil {
		old.close(End{Replaced, "by a newer one"})
	}
	if ctx.Err() != nil {
		s.close(End{Stopped, "shutting down"}) // Run has reset the stream before this one
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

// errPeer wraps what the peer's end did wrong.
var errPeer = errors.New("transport: not the peer")
