package bfdio

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Listener receives the control packets of many sessions on one port, of one
// protocol, whatever interface they come by. It is not safe for concurrent use.
type Listener struct {
	fd   int
	port int
	v6   bool
	in   batch
}

// receiveBuffer is what the kernel may keep for a listener while its loop does not
// come to it: that of a thousand sessions at 10 ms for some 20 ms.
const receiveBuffer = 4 << 20

// Listen opens port, Port or MultihopPort, for IPv6 or IPv4, in the calling thread's
// network namespace.
func Listen(port int, v6 bool) (*Listener, error) {
	l := &Listener{port: port, v6: v6}
	l.in.init()
	var err error
	if l.fd, err = listen(port, v6); err != nil {
		return nil, fmt.Errorf("bfdio: listen on port %d of %s: %w", port, protocol(v6), err)
	}
	return l, nil
}

func protocol(v6 bool) string {
	if v6 {
		return "IPv6"
	}
	return "IPv4"
}

func listen(port int, v6 bool) (int, error) {
	options := []option{
		{"IP_RECVTTL", unix.SOL_IP, unix.IP_RECVTTL, 1},
		{"IP_PKTINFO", unix.SOL_IP, unix.IP_PKTINFO, 1},
	}
	if v6 {
		options = []option{
			{"IPV6_RECVHOPLIMIT", unix.SOL_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
			{"IPV6_RECVPKTINFO", unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1},
		}
	}
	options = append(options,
		option{"SO_TIMESTAMPNS", unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
		option{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer})
	fd, err := socket(v6, options)
	if err != nil {
		return -1, err
	}
	// Beyond the system's limit where the process may; else as much as that allows.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	if err := unix.Bind(fd, sockaddr(unspecified(v6), port, 0)); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind: %w", err)
	}
	return fd, nil
}

func unspecified(v6 bool) netip.Addr {
	if v6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// option is one socket option to set.
type option struct {
	name              string
	level, opt, value int
}

// socket returns a UDP socket that does not block, with options set in order.
func socket(v6 bool, options []option) (int, error) {
	family := unix.AF_INET
	if v6 {
		family = unix.AF_INET6
		options = append([]option{{"IPV6_V6ONLY", unix.SOL_IPV6, unix.IPV6_V6ONLY, 1}}, options...)
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("create: %w", err)
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("set %s: %w", o.name, err)
		}
	}
	return fd, nil
}

// sockaddr is an address for the kernel; zone is an interface's index, which
// link-local addresses need.
func sockaddr(a netip.Addr, port, zone int) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Port: port, Addr: a.As4()}
	}
	to := &unix.SockaddrInet6{Port: port, Addr: a.As16()}
	if a.IsLinkLocalUnicast() {
		to.ZoneId = uint32(zone)
	}
	return to
}

// FD is readable when packets wait.
func (l *Listener) FD() int { return l.fd }

// Serves reports whether it is the listener of a port and protocol.
func (l *Listener) Serves(port int, v6 bool) bool { return l.port == port && l.v6 == v6 }

// More reports whether more packets may wait behind those of a Receive.
func More(received []Datagram) bool { return len(received) == batchLen }

// Receive returns the packets that wait, a batch at most, without blocking; none when
// none wait. They are valid until the next Receive.
func (l *Listener) Receive() ([]Datagram, error) {
	n, err := l.in.receive(l.fd)
	if err != nil {
		return nil, fmt.Errorf("bfdio: receive on port %d: %w", l.port, err)
	}
	return l.in.parse(n), nil
}

// Close closes the descriptor.
func (l *Listener) Close() { unix.Close(l.fd) }
