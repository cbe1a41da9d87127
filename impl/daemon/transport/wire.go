package transport

import (
	"errors"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// wire is the TCP connection below a stream's TLS. Once it is detached, Write does not
// block: bytes that the kernel does not take at once are kept until flush. So the loop may
// write even if the peer does not read.
type wire struct {
	*net.TCPConn
	raw syscall.RawConn

	mu       sync.Mutex
	detached bool
	rest     []byte // what the kernel has not taken, in order
}

func newWire(conn net.Conn) (*wire, error) {
	tcp := conn.(*net.TCPConn)
	raw, err := tcp.SyscallConn()
	return &wire{TCPConn: tcp, raw: raw}, err
}

// detach makes Write non-blocking, after the handshake.
func (w *wire) detach() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.detached = true
}

// Write implements net.Conn.
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.detached {
		return w.TCPConn.Write(b)
	}
	taken := 0
	if len(w.rest) == 0 {
		var err error
		if taken, err = w.try(b); err != nil {
			return taken, err
		}
	}
	w.rest = append(w.rest, b[taken:]...)
	return len(b), nil
}

// try writes as much as the kernel takes at once.
func (w *wire) try(b []byte) (taken int, err error) {
	failed := w.raw.Write(func(fd uintptr) (done bool) {
		taken, err = unix.Write(int(fd), b)
		return true
	})
	switch {
	case failed != nil:
		return 0, failed
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: err}
	}
	return taken, nil
}

// full reports whether bytes are kept.
func (w *wire) full() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.rest) > 0
}

// flush writes the kept bytes and blocks until the kernel has taken them. Bytes written meanwhile
// are kept after them.
func (w *wire) flush() error {
	for {
		w.mu.Lock()
		rest := w.rest
		w.mu.Unlock()
		if len(rest) == 0 {
			return nil
		}
		if _, err := w.TCPConn.Write(rest); err != nil {
			return err
		}
		w.mu.Lock()
		if w.rest = w.rest[len(rest):]; len(w.rest) == 0 {
			w.rest = nil // it may be large
		}
		w.mu.Unlock()
	}
}
