package speaker

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/bfd"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
)

// heard is a control packet as it arrived at the other end.
type heard struct {
	bfd.Packet
	from netip.AddrPort
	to   netip.Addr // its destination address
	link int        // index of the receiving interface
	ttl  int
}

// ear is an ordinary UDP socket on a port of the other end.
type ear struct {
	t    testing.TB
	conn *net.UDPConn
}

func (e *end) hear(network string, port int) *ear {
	e.t.Helper()
	var conn *net.UDPConn
	e.do(func() (err error) {
		conn, err = net.ListenUDP(network, &net.UDPAddr{Port: port})
		if err != nil {
			return err
		}
		raw, err := conn.SyscallConn()
		if err != nil {
			return err
		}
		options := [][2]int{{unix.SOL_IP, unix.IP_RECVTTL}, {unix.SOL_IP, unix.IP_PKTINFO}}
		if network == "udp6" {
			options = [][2]int{{unix.SOL_IPV6, unix.IPV6_RECVHOPLIMIT}, {unix.SOL_IPV6, unix.IPV6_RECVPKTINFO}}
		}
		for _, o := range options {
			var failed error
			if err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), o[0], o[1], 1) }); err != nil {
				return err
			}
			if failed != nil {
				return failed
			}
		}
		return nil
	})
	e.t.Cleanup(func() { conn.Close() })
	return &ear{t: e.t, conn: conn}
}

func (e *ear) next() heard {
	e.t.Helper()
	if err := e.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		e.t.Fatal(err)
	}
	data, control := make([]byte, 512), make([]byte, 256)
	n, c, _, from, err := e.conn.ReadMsgUDPAddrPort(data, control)
	if err != nil {
		e.t.Fatal(err)
	}
	h := heard{from: netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())}
	if h.Packet, err = bfd.Parse(data[:n]); err != nil {
		e.t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:c])
	if err != nil {
		e.t.Fatal(err)
	}
	for _, m := range messages {
		switch [2]int32{m.Header.Level, m.Header.Type} {
		case [2]int32{unix.SOL_IP, unix.IP_TTL}, [2]int32{unix.SOL_IPV6, unix.IPV6_HOPLIMIT}:
			h.ttl = int(binary.NativeEndian.Uint32(m.Data))
		case [2]int32{unix.SOL_IP, unix.IP_PKTINFO}: // ipi_ifindex, ipi_spec_dst, ipi_addr
			h.link, h.to = int(binary.NativeEndian.Uint32(m.Data)), netip.AddrFrom4([4]byte(m.Data[8:12]))
		case [2]int32{unix.SOL_IPV6, unix.IPV6_PKTINFO}: // ipi6_addr, ipi6_ifindex
			h.link, h.to = int(binary.NativeEndian.Uint32(m.Data[16:])), netip.AddrFrom16([16]byte(m.Data[:16]))
		}
	}
	return h
}

// transmit sends one datagram from this end, with an address of it unless that is "".
func (e *end) transmit(from string, to netip.AddrPort, ttl int, data []byte) {
	e.t.Helper()
	e.do(func() error {
		local := &net.UDPAddr{IP: net.ParseIP(from)}
		conn, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(to))
		if err != nil {
			return err
		}
		defer conn.Close()
		raw, err := conn.SyscallConn()
		if err != nil {
			return err
		}
		level, option := unix.SOL_IP, unix.IP_TTL
		if to.Addr().Is6() {
			level, option = unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS
		}
		var failed error
		if err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, ttl) }); err != nil || failed != nil {
			return errors.Join(err, failed)
		}
		_, err = conn.Write(data)
		return err
	})
}

// TestControlPacketsTravelAsRFC5881And5883Ask: destination port; TTL and hop limit, with
// and without authentication; a constant source port unique to each session; and the
// addresses of the link to which the session is bound.
// Conformance: RFC 5881 4/1 4/2 4/3 5/1 5/3 6/1 6/2; RFC 5883 5/1
func TestControlPacketsTravelAsRFC5881And5883Ask(t *testing.T) {
	a, b := cable(t)
	var sessions []config.BFDSession
	for _, pair := range [][2]string{{"198.18.9.1", "198.18.9.2"}, {"2001:2:0:9::1", "2001:2:0:9::2"}} {
		near, far := a.to(pair[0], pair[1]), multihop(a.to(pair[0], pair[1]))
		far.Name = "far " + far.Name
		// One of each kind authenticates.
		secured := &near
		if strings.Contains(pair[0], ":") {
			secured = &far
		}
		secured.Auth = config.BFDAuth{Type: config.AuthSHA1, Keys: []config.BFDKey{{ID: 1, Secret: "key"}}, Send: 1}
		sessions = append(sessions, near, far)
	}
	var link int
	b.do(func() error {
		l, err := net.InterfaceByName(b.link)
		if err == nil {
			link = l.Index
		}
		return err
	})
	ears := []*ear{b.hear("udp4", 3784), b.hear("udp4", 4784), b.hear("udp6", 3784), b.hear("udp6", 4784)}
	a.speak(sessions...)
	ports := map[uint16]int{}
	for i, e := range ears {
		s := sessions[i]
		first, second := e.next(), e.next()
		for _, h := range []heard{first, second} {
			if h.ttl != 255 || h.from.Addr() != s.Local.Addr || h.to != s.Peer.Addr || h.link != link || (h.Auth != nil) != !s.Auth.IsZero() {
				t.Errorf("session %s: %+v; want TTL 255 from %v to %v by interface %d", s.Name, h, s.Local, s.Peer, link)
			}
		}
		port := first.from.Port()
		if port < 49152 || port != second.from.Port() {
			t.Errorf("session %s: source ports %d and %d, want one of 49152 to 65535", s.Name, port, second.from.Port())
		}
		if other, taken := ports[port]; taken {
			t.Errorf("sessions %s and %s share source port %d", s.Name, sessions[other].Name, port)
		}
		ports[port] = i
	}
}

// TestAPeersNewSourceAddressIsNotFollowed: a packet with the session's discriminator is
// accepted from any address, and the answer still goes to the configured peer.
// Conformance: RFC 5881 6/5
func TestAPeersNewSourceAddressIsNotFollowed(t *testing.T) {
	a, b := cable(t)
	b.up("198.18.9.3/24")
	e := b.hear("udp4", 3784)
	one := a.speak(a.to("198.18.9.1", "198.18.9.2"))
	first := e.next()
	p := bfd.Packet{State: bfd.Init, DetectMult: 200, MyDiscr: 7, YourDiscr: first.MyDiscr,
		DesiredMinTxInterval: time.Second, RequiredMinRxInterval: 50 * time.Millisecond}
	b.transmit("198.18.9.3", netip.MustParseAddrPort("198.18.9.1:3784"), 255, p.AppendTo(nil))
	await(t, one, "is Up by the packet from elsewhere", func(x control.BFDSession) bool { return x.State == "Up" })
	for {
		if h := e.next(); h.State == bfd.Up {
			if h.to != netip.MustParseAddr("198.18.9.2") {
				t.Errorf("answered to %v, want the configured 198.18.9.2", h.to)
			}
			return
		}
	}
}
