package bfdio

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ListenConfig configures a Listener.
type ListenConfig struct {
	// Local is the destination address of the packets; the unspecified address means all of
	// its IP version.
	Local netip.Addr
	// Link is the receiving interface; "" for any, which multihop needs.
	Link string
	Port int // Port, MultihopPort or EchoPort
	// Filter drops in the kernel what no session would accept; nil drops nothing. The
	// Listener closes it.
	Filter *Filter
	// Buffer is the size of the kernel's receive buffer in bytes; 0 is the system's
	// default.
	Buffer int
}

// Listener receives the packets of one or more sessions on one port, for one IP version. It
// is not safe for concurrent use.
type Listener struct {
	cfg ListenConfig
	fd  int
	in  batch
}

// Listen opens a listener in the calling thread's network namespace. The link must exist;
// the address may be added later.
func Listen(cfg ListenConfig) (*Listener, error) {
	l := &Listener{cfg: cfg, fd: -1}
	l.in.init()
	if err := l.open(); err != nil {
		l.Close()
		return nil, fmt.Errorf("bfdio: listen on port %d of %v: %w", cfg.Port, cfg.Local, err)
	}
	return l, nil
}

func (l *Listener) open() (err error) {
	options := []option{
		{"IP_RECVTTL", unix.SOL_IP, unix.IP_RECVTTL, 1},
		{"IP_PKTINFO", unix.SOL_IP, unix.IP_PKTINFO, 1},
	}
	if l.cfg.Local.Is6() {
		options = []option{
			{"IPV6_RECVHOPLIMIT", unix.SOL_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
			{"IPV6_RECVPKTINFO", unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1},
		}
	}
	options = append(options, option{"SO_TIMESTAMPNS", unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1})
	if l.cfg.Buffer > 0 {
		options = append(options, option{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, l.cfg.Buffer})
	}
	if l.fd, err = socket(l.cfg.Local.Is6(), l.cfg.Link, options); err != nil {
		return err
	}
	if l.cfg.Buffer > 0 {
		// Beyond the system's limit if the process may, else up to the limit.
		_ = unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, l.cfg.Buffer)
	}
	if l.cfg.Filter != nil { // before anything can be received
		if err := l.cfg.Filter.attach(l.fd); err != nil {
			return err
		}
	}
	zone, err := linkIndex(l.cfg.Link)
	if err != nil {
		return err
	}
	if err := unix.Bind(l.fd, sockaddr(l.cfg.Local, l.cfg.Port, zone)); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

// FD returns the descriptor, which is readable when packets wait.
func (l *Listener) FD() int { return l.fd }

// More reports whether more packets may wait after a Receive.
func More(received []Datagram) bool { return len(received) == batchLen }

// Receive returns the waiting packets, at most a batch, without blocking. They are valid
// until the next Receive.
func (l *Listener) Receive() ([]Datagram, error) {
	n, err := l.in.receive(l.fd)
	if err != nil {
		return nil, fmt.Errorf("bfdio: receive on port %d: %w", l.cfg.Port, err)
	}
	return l.in.parse(n), nil
}

// Drops returns the filter's drop counters, see Filter.Drops.
func (l *Listener) Drops() (drops Drops, err error) {
	if l.cfg.Filter == nil {
		return drops, nil
	}
	return l.cfg.Filter.Drops()
}

// Close closes the descriptor.
func (l *Listener) Close() {
	if l.fd >= 0 {
		unix.Close(l.fd)
	}
	l.fd = -1
	l.cfg.Filter.Close()
}
