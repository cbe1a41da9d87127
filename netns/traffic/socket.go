package traffic

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// openSocket opens a non-blocking socket of an address's family in the thread's network
// namespace.
func openSocket(kind int, of netip.AddrPort) (int, error) {
	domain := unix.AF_INET
	if of.Addr().Is6() {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("traffic: open socket: %w", err)
	}
	return fd, nil
}

// dialTCP begins to connect; see dialers. The socket becomes writable when the connect has finished.
func (l *loop) dialTCP(from *client, port uint16, to netip.AddrPort, h handler) (int, error) {
	if err := l.enter(from.namespace); err != nil {
		return -1, err
	}
	fd, err := openSocket(unix.SOCK_STREAM, to)
	if err != nil {
		return -1, err
	}
	// Without it a message waits for the previous one's acknowledgement.
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil && port > 0 {
		err = bindPort(fd, to.Addr(), port)
	}
	if err == nil {
		err = unix.Connect(fd, sockaddr(to))
	}
	if err == nil || err == unix.EINPROGRESS {
		err = l.add(from.name, fd, unix.EPOLLOUT, h)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bindPort binds a socket, of the family of an address, to a port that may just have been in use.
func bindPort(fd int, family netip.Addr, port uint16) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	any := netip.IPv4Unspecified()
	if family.Is6() {
		any = netip.IPv6Unspecified()
	}
	return unix.Bind(fd, sockaddr(netip.AddrPortFrom(any, port)))
}

// resetOnClose makes a socket close with a RST.
func resetOnClose(fd int) error {
	return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// dialUDP opens a client's connected UDP socket and registers it with h for the events.
func (l *loop) dialUDP(from *client, to netip.AddrPort, events uint32, h handler) (int, error) {
	if err := l.enter(from.namespace); err != nil {
		return -1, err
	}
	fd, err := openSocket(unix.SOCK_DGRAM, to)
	if err != nil {
		return -1, err
	}
	if err = unix.Connect(fd, sockaddr(to)); err == nil {
		err = l.add(from.name, fd, events, h)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// listen opens a listening TCP socket or a bound UDP socket.
func listen(kind int, at netip.AddrPort) (int, error) {
	fd, err := openSocket(kind, at)
	if err != nil {
		return -1, err
	}
	if kind == unix.SOCK_STREAM {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	} else {
		err = enlargeReceiveBuffer(fd)
	}
	if err == nil {
		err = unix.Bind(fd, sockaddr(at))
	}
	if err == nil && kind == unix.SOCK_STREAM {
		err = unix.Listen(fd, 4096)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("traffic: listen on %s: %w", at, err)
	}
	return fd, nil
}

// enlargeReceiveBuffer makes room for seconds of datagrams: a burst, or a pause of this
// process, must not look like packet loss.
func enlargeReceiveBuffer(fd int) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}

// localAddr returns the socket's local address, zero if it has none.
func localAddr(fd int) netip.AddrPort {
	switch sa, _ := unix.Getsockname(fd); sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// socketError returns and clears the socket's pending error.
func socketError(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if code != 0 {
		return unix.Errno(code)
	}
	return nil
}

// outbox buffers the bytes that a stream socket did not accept yet.
type outbox struct{ waiting []byte }

// write sends b after the buffered bytes. blocked means that bytes wait for the socket to
// become writable.
func (o *outbox) write(s stream, b []byte) (blocked bool, err error) {
	if len(o.waiting) > 0 {
		o.waiting = append(o.waiting, b...)
		return true, nil
	}
	n, err := s.Write(b)
	if err == unix.EAGAIN {
		n, err = 0, nil
	}
	if err != nil {
		return false, err
	}
	o.waiting = append(o.waiting, b[n:]...)
	return len(o.waiting) > 0, nil
}

// flush sends the buffered bytes.
func (o *outbox) flush(s stream) (blocked bool, err error) {
	b := o.waiting
	o.waiting = o.waiting[:0]
	if len(b) == 0 {
		return false, nil
	}
	return o.write(s, b)
}
