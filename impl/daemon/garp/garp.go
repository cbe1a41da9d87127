// Package garp announces virtual addresses: one gratuitous ARP or, for IPv6, one
// unsolicited neighbour advertisement per VIP on its link. Sockets are open and frames are
// built before a takeover, so that nothing must be resolved or allocated then. The core
// decides when and how often to announce; the daemon's loop calls Send.
package garp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"baton/impl/dataplane"
)

// Sender has one packet socket for each link with a VIP. It is not safe for concurrent use.
type Sender struct {
	links []*link
	vips  []linkVIP // in the given order
}

// linkVIP is a VIP's link and its index there.
type linkVIP struct {
	link *link
	at   int // index of the VIP on the link
}

type link struct {
	name   string
	fd     int
	to     unix.SockaddrLinklayer
	mac    net.HardwareAddr // source of the frames
	vips   []netip.Addr
	frames [][]byte
}

// Open prepares to announce the VIPs, in the calling thread's network namespace.
func Open(vips []dataplane.VIP) (*Sender, error) {
	s := &Sender{}
	if err := s.SetVIPs(vips); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// SetVIPs changes the announced VIPs. An error changes nothing.
func (s *Sender) SetVIPs(vips []dataplane.VIP) error {
	find := func(name string) int { return slices.IndexFunc(s.links, func(l *link) bool { return l.name == name }) }
	for _, vip := range vips {
		if find(vip.Link) >= 0 {
			continue
		}
		l, err := openLink(vip.Link)
		if err != nil {
			return fmt.Errorf("garp: open link %s: %w", vip.Link, err)
		}
		s.links = append(s.links, l)
	}
	s.vips = nil
	for _, l := range s.links {
		l.vips = nil
	}
	for _, vip := range vips {
		l := s.links[find(vip.Link)]
		s.vips = append(s.vips, linkVIP{l, len(l.vips)})
		l.vips = append(l.vips, vip.Addr)
	}
	for _, l := range s.links {
		l.prepare(l.mac)
	}
	return nil
}

// openLink opens a packet socket that receives nothing: its protocol is 0.
func openLink(name string) (*link, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	to := unix.SockaddrLinklayer{Ifindex: iface.Index, Halen: macLen}
	copy(to.Addr[:], broadcast)
	return &link{name: name, fd: fd, to: to, mac: iface.HardwareAddr}, nil
}

// prepare builds a link's frames for its hardware address.
func (l *link) prepare(mac net.HardwareAddr) {
	l.mac, l.frames = slices.Clone(mac), l.frames[:0]
	for _, vip := range l.vips {
		l.frames = append(l.frames, Frame(mac, vip))
	}
}

// SetMAC sets a link's hardware address and reports whether it has changed.
func (s *Sender) SetMAC(name string, mac net.HardwareAddr) (changed bool) {
	for _, l := range s.links {
		if l.name == name && !slices.Equal(l.mac, mac) {
			l.prepare(mac)
			changed = true
		}
	}
	return changed
}

// send announces the i-th VIP of a link.
func (l *link) send(i int) error {
	if err := unix.Sendto(l.fd, l.frames[i], unix.MSG_DONTWAIT, &l.to); err != nil {
		return fmt.Errorf("garp: announce %v on %s: %w", l.vips[i], l.name, err)
	}
	return nil
}

// Send announces count VIPs once each, from the index first on, wrapping around. It
// continues after a failure, so that one link that is down does not block the other's VIPs,
// and returns all failures.
func (s *Sender) Send(first, vips int) error {
	var failures []error
	for i := range min(vips, len(s.vips)) {
		p := s.vips[(first+i)%len(s.vips)]
		failures = append(failures, p.link.send(p.at))
	}
	return errors.Join(failures...)
}

// SendAll announces every VIP once.
func (s *Sender) SendAll() error { return s.Send(0, len(s.vips)) }

// SendOne announces one VIP on its link, as an answer to a foreign announcement.
func (s *Sender) SendOne(vip dataplane.VIP) error {
	for _, l := range s.links {
		if i := slices.Index(l.vips, vip.Addr); l.name == vip.Link && i >= 0 {
			return l.send(i)
		}
	}
	return fmt.Errorf("garp: %v on %s is not announced here", vip.Addr, vip.Link)
}

// Close closes the sockets.
func (s *Sender) Close() {
	for _, l := range s.links {
		unix.Close(l.fd)
	}
	s.links = nil
}
