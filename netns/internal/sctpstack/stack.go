// Package sctpstack provides SCTP for a host whose kernel has none: pion's associations over a raw socket in
// the host's network namespace. As in a kernel, associations continue while no program reads, packets without
// an association are answered with an ABORT, and the end of a program closes its associations. Sockets are
// event descriptors, so that the generators' loop waits for them as for TCP sockets.
package sctpstack

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"baton/impl/flow"
	"baton/impl/sctp"
	"baton/netns/internal/ip"
	"baton/scenarios/lab"
)

// proto is the IP protocol number of SCTP.
const proto = unix.IPPROTO_SCTP

// ErrKernel means that the kernel has SCTP, which would answer the packets for this package.
var ErrKernel = errors.New("sctp: this kernel has SCTP, which would answer packets that are not its own; unload the module sctp")

// Stack is the SCTP of one host.
type Stack struct {
	in  [lab.Families]*os.File // raw sockets; they also keep the kernel from answering "protocol unreachable"
	out [lab.Families]int

	mu        sync.Mutex
	links     map[ends][]*link
	listeners map[netip.AddrPort]*Listener
	port      uint16                    // next port that Dial tries
	sources   map[netip.Addr]netip.Addr // by destination
	readers   sync.WaitGroup
}

// ends are the addresses and ports of an association, seen from the host.
type ends struct{ local, remote netip.AddrPort }

// Ports that Dial chooses itself.
const firstPort, lastPort = 32768, 60999

// Open opens the sockets of a host, in the calling thread's network namespace.
func Open() (*Stack, error) {
	if known, err := os.ReadFile("/proc/net/protocols"); err != nil {
		return nil, fmt.Errorf("sctp: look for the kernel's: %w", err)
	} else if bytes.Contains(known, []byte("\nSCTP ")) {
		return nil, ErrKernel
	}
	s := &Stack{links: map[ends][]*link{}, listeners: map[netip.AddrPort]*Listener{}, port: firstPort, sources: map[netip.Addr]netip.Addr{}, out: [lab.Families]int{-1, -1}}
	for f, domain := range [lab.Families]int{lab.IPv4: unix.AF_INET, lab.IPv6: unix.AF_INET6} {
		if err := s.open(lab.Family(f), domain); err != nil {
			s.Close()
			return nil, fmt.Errorf("sctp: open raw sockets: %w", err)
		}
	}
	return s, nil
}

func (s *Stack) open(f lab.Family, domain int) (err error) {
	const flags = unix.SOCK_RAW | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	if s.out[f], err = unix.Socket(domain, flags, unix.IPPROTO_RAW); err != nil {
		return err
	}
	in, err := unix.Socket(domain, flags, proto)
	if err != nil {
		return err
	}
	s.in[f] = os.NewFile(uintptr(in), "sctp")
	err = unix.SetsockoptInt(in, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
	if domain == unix.AF_INET6 { // IPv6 raw sockets do not receive the IP header
		err = errors.Join(err, unix.SetsockoptInt(in, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
	}
	if err == nil {
		s.readers.Go(func() { s.read(f) })
	}
	return err
}

// Close ends all associations without sending anything.
func (s *Stack) Close() {
	s.Forget()
	for f := range s.in {
		if s.in[f] != nil {
			_ = s.in[f].Close()
		}
	}
	s.readers.Wait()
	for _, fd := range s.out {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// Forget ends all associations without sending anything, as a power failure does.
func (s *Stack) Forget() {
	s.mu.Lock()
	var all []*link
	for _, links := range s.links {
		all = append(all, links...)
	}
	s.mu.Unlock()
	for _, l := range all {
		_ = l.Close()
	}
}

// read takes the packets of a family until the socket is closed.
func (s *Stack) read(f lab.Family) {
	raw, err := s.in[f].SyscallConn()
	if err != nil {
		return
	}
	buf, control := make([]byte, 1<<16), make([]byte, 256)
	for err == nil {
		err = raw.Read(func(fd uintptr) bool {
			n, c, _, from, err := unix.Recvmsg(int(fd), buf, control, 0)
			if err == unix.EAGAIN {
				return false
			}
			if err == nil {
				s.take(buf[:n], control[:c], from)
			}
			return true
		})
	}
}

// take passes on a packet with its addresses.
func (s *Stack) take(b, control []byte, from unix.Sockaddr) {
	var source, target netip.Addr
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		header := int(b[0]&0xf) * 4
		if len(b) < ip.Len4 || len(b) < header {
			return
		}
		source, target, b = netip.AddrFrom4(from.Addr), netip.AddrFrom4([4]byte(b[16:])), b[header:]
	case *unix.SockaddrInet6:
		messages, err := unix.ParseSocketControlMessage(control)
		if err != nil || len(messages) != 1 || len(messages[0].Data) < 16 {
			return
		}
		source, target = netip.AddrFrom16(from.Addr), netip.AddrFrom16([16]byte(messages[0].Data))
	}
	p, ok := sctp.Parse(b)
	if !ok || !sctp.Sound(b) {
		return // RFC 9260 6.8
	}
	s.receive(ends{netip.AddrPortFrom(target, p.DstPort), netip.AddrPortFrom(source, p.SrcPort)}, p, bytes.Clone(b))
}

// receive passes a packet to its association. An INIT to a listener begins a new association, which replaces
// an existing one only with its COOKIE ECHO (RFC 9260 5.2.2).
func (s *Stack) receive(at ends, p sctp.Packet, b []byte) {
	s.mu.Lock()
	links := s.links[at]
	i := slices.IndexFunc(links, func(l *link) bool { return l.proves(p) })
	listener := s.listeners[at.local]
	s.mu.Unlock()
	switch {
	case i >= 0:
		links[i].deliver(p, b)
	case p.Chunk == sctp.Init && listener != nil:
		l := s.link(at)
		l.initiate = p.InitiateTag()
		go listener.admit(l)
		l.deliver(p, b)
	case len(links) == 0 || p.Chunk == sctp.Init:
		if answer, ok := sctp.Refuse(p); ok {
			s.send(at, answer.Marshal())
		}
	}
}

// send sends a packet, routed by its source address, which may be a VIP. An error means that it did not
// leave; the association retransmits.
func (s *Stack) send(at ends, packet []byte) {
	source, target := flow.AddrFrom(at.local.Addr()), flow.AddrFrom(at.remote.Addr())
	whole := append(ip.Header(source, target, proto, 64, len(packet)), packet...)
	f := lab.FamilyOf(at.remote.Addr())
	if f == lab.IPv4 {
		by := unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: at.local.Addr().As4()})
		_, _ = unix.SendmsgN(s.out[f], whole, by, &unix.SockaddrInet4{Addr: at.remote.Addr().As4()}, 0)
		return
	}
	by := unix.PktInfo6(&unix.Inet6Pktinfo{Addr: at.local.Addr().As16()})
	_, _ = unix.SendmsgN(s.out[f], whole, by, &unix.SockaddrInet6{Addr: at.remote.Addr().As16()}, 0)
}

// link adds the link of another association.
func (s *Stack) link(at ends) *link {
	l := &link{stack: s, ends: at, in: make(chan []byte, 256), closed: make(chan struct{})}
	s.mu.Lock()
	s.links[at] = append(slices.Clone(s.links[at]), l)
	s.mu.Unlock()
	return l
}

// remove removes an association.
func (s *Stack) remove(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(s.links[l.ends]), func(o *link) bool { return o == l })
	if s.links[l.ends] = left; len(left) == 0 {
		delete(s.links, l.ends)
	}
}

// supersede ends the associations that another one replaces.
func (s *Stack) supersede(l *link) {
	s.mu.Lock()
	others := slices.DeleteFunc(slices.Clone(s.links[l.ends]), func(o *link) bool { return o == l })
	s.mu.Unlock()
	for _, o := range others {
		_ = o.Close()
	}
}

// source returns the address from which the host sends to a destination.
func (s *Stack) source(to netip.AddrPort) (netip.Addr, error) {
	if from, known := s.sources[to.Addr()]; known {
		return from, nil
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("sctp: find the way to %s: %w", to, err)
	}
	defer conn.Close()
	from := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	s.sources[to.Addr()] = from
	return from, nil
}

// bind reserves the source port of an association; 0 is any.
func (s *Stack) bind(from netip.Addr, port uint16, to netip.AddrPort) (*link, error) {
	try := func(port uint16) *link {
		at := ends{netip.AddrPortFrom(from, port), to}
		s.mu.Lock()
		used := len(s.links[at]) > 0
		s.mu.Unlock()
		if used {
			return nil
		}
		return s.link(at)
	}
	if port != 0 {
		if l := try(port); l != nil {
			return l, nil
		}
		return nil, unix.EADDRINUSE
	}
	for range lastPort - firstPort + 1 {
		port := s.port
		if s.port++; s.port > lastPort {
			s.port = firstPort
		}
		if l := try(port); l != nil {
			return l, nil
		}
	}
	return nil, unix.EADDRNOTAVAIL
}
