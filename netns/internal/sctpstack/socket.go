package sctpstack

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/logging"
	pion "github.com/pion/sctp"
	"golang.org/x/sys/unix"
)

// handshakeLimit is how long a server waits for the COOKIE ECHO (RFC 9260 16: Valid.Cookie.Life).
const handshakeLimit = time.Minute

// closeLimit is how long an association may take to shut down before its end is dropped.
const closeLimit = time.Minute

var quiet = &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled, ScopeLevels: map[string]logging.LogLevel{}}

// event is a descriptor that is readable while there is something to read.
type event struct {
	mu     sync.Mutex
	fd     int
	closed bool
}

func (e *event) open() (err error) {
	if e.fd, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("sctp: open event descriptor: %w", err)
	}
	return nil
}

// FD returns the descriptor to wait for. Close closes it.
func (e *event) FD() int { return e.fd }

// raise makes the descriptor readable; the caller holds the lock.
func (e *event) raise() {
	if !e.closed {
		_, _ = unix.Write(e.fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

func (e *event) lower() {
	var count [8]byte
	_, _ = unix.Read(e.fd, count[:])
}

// end closes the descriptor once; the caller holds the lock.
func (e *event) end() (first bool) {
	if first = !e.closed; first {
		e.closed = true
		_ = unix.Close(e.fd)
	}
	return first
}

// Socket is a program's end of an association. None of its methods waits.
type Socket struct {
	event
	link   *link
	assoc  *pion.Association
	stream *pion.Stream
	in     [][]byte
	err    error // that ends the association; io.EOF after its shutdown
	failed error // why it was not established
	reset  bool
}

// Dial opens an association from a source port, 0 for any. The calling thread must be in the stack's network
// namespace. The association is established once the descriptor is readable and Failure returns nil.
func (s *Stack) Dial(port uint16, to netip.AddrPort) (*Socket, error) {
	from, err := s.source(to)
	if err != nil {
		return nil, err
	}
	c := &Socket{}
	if err := c.open(); err != nil {
		return nil, err
	}
	if c.link, err = s.bind(from, port, to); err != nil {
		_ = unix.Close(c.fd)
		return nil, err
	}
	go c.connect()
	return c, nil
}

func (c *Socket) connect() {
	assoc, err := pion.ClientWithOptions(pion.WithNetConn(c.link), pion.WithLoggerFactory(quiet))
	var stream *pion.Stream
	if err == nil {
		stream, err = assoc.OpenStream(0, pion.PayloadTypeWebRTCBinary)
	}
	c.mu.Lock()
	if err != nil {
		c.failed = err
		if c.link.wasAborted() {
			c.failed = unix.ECONNREFUSED
		}
		_ = c.link.Close()
	}
	c.assoc, c.stream = assoc, stream
	closed := c.closed
	c.raise()
	c.mu.Unlock()
	switch {
	case err != nil:
	case closed:
		c.finish()
	default:
		c.pump()
	}
}

// pump queues what arrives until the association ends.
func (c *Socket) pump() {
	buf := make([]byte, 1<<16)
	for {
		n, err := c.stream.Read(buf)
		c.mu.Lock()
		switch {
		case err == nil && c.closed:
		case err == nil:
			c.in = append(c.in, append([]byte(nil), buf[:n]...))
		case c.link.wasAborted():
			c.err = unix.ECONNRESET
		default:
			c.err = io.EOF
		}
		c.raise()
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Failure returns why the association was not established, nil if it was.
func (c *Socket) Failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// Local returns the address and port of this end.
func (c *Socket) Local() netip.AddrPort { return c.link.local }

// Read returns a message, unix.EAGAIN if there is none, or 0 bytes after the end.
func (c *Socket) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case len(c.in) > 0:
		n := copy(b, c.in[0])
		c.in = c.in[1:]
		return n, nil
	case c.err == io.EOF:
		return 0, nil
	case c.err != nil:
		return 0, c.err
	}
	c.lower()
	return 0, unix.EAGAIN
}

// Write sends a message. Messages to an ending association are lost, as with TCP; Read returns how it has
// ended.
func (c *Socket) Write(b []byte) (int, error) {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err != nil && err != io.EOF {
		return 0, err
	}
	_, _ = c.stream.Write(b)
	return len(b), nil
}

// Shutdown ends the association once everything has been acknowledged.
func (c *Socket) Shutdown() {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		_ = c.assoc.Shutdown(ctx) // an error means that it has ended already
	}()
}

// Reset makes Close send an ABORT.
func (c *Socket) Reset() {
	c.mu.Lock()
	c.reset = true
	c.mu.Unlock()
}

// Close closes the descriptor and ends the association, as the kernel does for a program that has ended.
func (c *Socket) Close() {
	c.mu.Lock()
	first, established := c.end(), c.stream != nil
	c.mu.Unlock()
	switch {
	case !first:
	case established:
		go c.finish()
	default:
		_ = c.link.Close()
	}
}

// finish ends an association whose program has closed it.
func (c *Socket) finish() {
	c.mu.Lock()
	reset := c.reset
	c.mu.Unlock()
	if reset {
		c.assoc.Abort("")
		_ = c.link.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if c.assoc.Shutdown(ctx) == context.DeadlineExceeded {
		_ = c.link.Close()
	}
}

// Listener is a program's socket that accepts associations.
type Listener struct {
	event
	stack    *Stack
	at       netip.AddrPort
	accepted []*Socket
}

// Listen accepts associations at an address and port.
func (s *Stack) Listen(at netip.AddrPort) (*Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners[at] != nil {
		return nil, fmt.Errorf("sctp: listen on %s: %w", at, unix.EADDRINUSE)
	}
	l := &Listener{stack: s, at: at}
	if err := l.open(); err != nil {
		return nil, err
	}
	s.listeners[at] = l
	return l, nil
}

// admit completes the handshake of an association and queues it with its first message.
func (l *Listener) admit(way *link) {
	limit := time.AfterFunc(handshakeLimit, func() { _ = way.Close() })
	assoc, err := pion.ServerWithOptions(pion.WithNetConn(way), pion.WithLoggerFactory(quiet))
	limit.Stop()
	if err != nil {
		_ = way.Close()
		return
	}
	l.stack.supersede(way)
	stream, err := assoc.AcceptStream()
	if err != nil {
		return // it has ended
	}
	c := &Socket{link: way, assoc: assoc, stream: stream}
	if err := c.open(); err != nil {
		assoc.Abort("no descriptor is left")
		return
	}
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.accepted = append(l.accepted, c)
		l.raise()
	}
	l.mu.Unlock()
	if closed {
		c.Close()
		return
	}
	c.pump()
}

// Accept returns an association, or unix.EAGAIN if there is none.
func (l *Listener) Accept() (*Socket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.accepted) == 0 {
		l.lower()
		return nil, unix.EAGAIN
	}
	c := l.accepted[0]
	l.accepted = l.accepted[1:]
	return c, nil
}

// Close stops accepting. Associations that no program has accepted are closed.
func (l *Listener) Close() {
	l.stack.mu.Lock()
	if l.stack.listeners[l.at] == l {
		delete(l.stack.listeners, l.at)
	}
	l.stack.mu.Unlock()
	l.mu.Lock()
	waiting := l.accepted
	l.accepted = nil
	l.end()
	l.mu.Unlock()
	for _, c := range waiting {
		c.Close()
	}
}
