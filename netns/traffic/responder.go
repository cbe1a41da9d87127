package traffic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/scenarios/lab"
)

// responder is a backend's stateless server for TCP flows without sockets, whose segments
// are marked. Its initial sequence number is a cookie of both ends' addresses and a secret.
// A segment whose acknowledgement does not match the cookie belongs to a connection that
// this backend does not have. It is answered by a RST, as a kernel does (RFC 9293
// 3.10.7.1). So a flow is reset if a load balancer moves it here or changes its source
// port.
type responder struct {
	*servers
	in     int
	out    [lab.Families]int // raw sockets, -1 if the backend has no address of the family
	at     []netip.AddrPort  // addresses of the TCP services
	secret maphash.Seed
}

// answersPerConnection is how many answers a connection can get before its cookie no longer
// matches and it is reset.
const answersPerConnection = 10_000

// openSegments opens a responder's sockets for TCP services in the thread's namespace.
func openSegments(at []netip.AddrPort) (_ listener, err error) {
	l := listener{proto: segmentProto, fd: -1, at: at}
	for f := range l.out {
		l.out[f] = -1
	}
	for _, a := range at {
		if f := lab.FamilyOf(a.Addr()); l.out[f] < 0 && err == nil {
			l.out[f], err = openRaw(f)
		}
	}
	if err == nil {
		l.fd, err = openPackets(marked(), 0)
	}
	if err != nil {
		l.close()
		return l, fmt.Errorf("traffic: answer marked segments: %w", err)
	}
	return l, nil
}

// openPackets opens a packet socket with a filter on one interface; index 0 means all.
func openPackets(program []bpf.Instruction, index int) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	every := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	err = errors.Join(attachFilter(fd, program), unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1), enlargeReceiveBuffer(fd),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: every, Ifindex: index}))
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// openRaw opens a socket that sends whole packets of a family, in the thread's namespace.
func openRaw(f lab.Family) (int, error) {
	return unix.Socket(guestFamilies[f].domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
}

func (r *responder) ready(clock.Instant, uint32) {
	for range datagramsPerTurn {
		n, _, err := unix.Recvfrom(r.in, r.loop.buf[:wholeFrame], 0)
		if err != nil {
			return
		}
		if s, ok := parseSegment(r.loop.buf[min(n, ethLen):n]); ok && slices.Contains(r.at, s.to) {
			r.answer(s)
		}
	}
}

// answer answers a segment to one of the services.
func (r *responder) answer(s segment) {
	a := segment{from: s.to, to: s.from, flags: tcpACK, seq: s.ack, ack: s.seq + uint32(len(s.payload))}
	cookie := r.cookie(s.from, s.to)
	switch {
	case s.flags&tcpRST != 0:
		return
	case s.flags&tcpSYN != 0:
		a.flags, a.seq, a.ack = tcpSYN|tcpACK, cookie, s.seq+1
	case s.flags&tcpACK == 0 || !follows(s.ack, cookie):
		a.flags, a.ack = tcpRST, 0
	case len(s.payload) == 0:
		return
	case len(s.payload) == requestLen:
		a.flags |= tcpPSH
		a.payload = append(make([]byte, 0, answerLen), s.payload...)[:answerLen]
		putAnswer(a.payload, r.name)
	}
	_ = unix.Sendto(r.out[lab.FamilyOf(a.to.Addr())], a.packet(), 0, sockaddr(netip.AddrPortFrom(a.to.Addr(), 0))) // the client measures a lost answer
}

// cookie returns this side's initial sequence number of a connection.
func (r *responder) cookie(client, server netip.AddrPort) uint32 {
	return uint32(maphash.Comparable(r.secret, [2]netip.AddrPort{client, server}))
}

// follows reports whether an acknowledgement covers a whole number of answers after the
// cookie.
func follows(ack, cookie uint32) bool {
	sent := ack - cookie - 1
	return sent%answerLen == 0 && sent/answerLen <= answersPerConnection
}

// respond serves the marked segments for a backend's TCP services.
func (s *servers) respond(l listener) error {
	r := &responder{servers: s, in: l.fd, out: l.out, at: l.at, secret: maphash.MakeSeed()}
	err := s.add(r.in, r)
	for _, fd := range r.out {
		if fd >= 0 {
			err = errors.Join(err, s.loop.add(s.name, fd, 0, r))
		}
	}
	return err
}
