// Package ping sends ICMP echo requests and reads their replies (RFC 792; RFC 4443 section 4).
package ping

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// family holds the differences between ICMP and ICMPv6.
type family struct {
	network        string
	protocol       int
	request, reply icmp.Type
}

var families = map[bool]family{ // by whether it is IPv4
	true:  {"ip4:icmp", 1, ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply},
	false: {"ip6:ipv6-icmp", 58, ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply},
}

// Conn is a raw socket of one family, which needs CAP_NET_RAW. One goroutine may send while another
// reads.
type Conn struct {
	family
	conn *icmp.PacketConn
	id   int // of its requests, to distinguish their replies from those to other processes
	buf  [1500]byte
}

// Listen opens a socket in the calling thread's network namespace. Requests leave from the source
// address; the route chooses one if it is unspecified.
func Listen(source netip.Addr) (*Conn, error) {
	f := families[source.Is4()]
	conn, err := icmp.ListenPacket(f.network, source.String())
	if err != nil {
		return nil, fmt.Errorf("open ICMP socket on %v: %w", source, err)
	}
	if p := conn.IPv6PacketConn(); p != nil {
		var filter ipv6.ICMPFilter
		filter.SetAll(true)
		filter.Accept(ipv6.ICMPTypeEchoReply)
		if err := p.SetICMPFilter(&filter); err != nil {
			conn.Close()
			return nil, fmt.Errorf("filter ICMP socket on %v: %w", source, err)
		}
	}
	return &Conn{family: f, conn: conn, id: rand.IntN(1 << 16)}, nil
}

// Unspecified returns the unspecified address of a target's family.
func Unspecified(target netip.Addr) netip.Addr {
	if target.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// Close closes the socket. A Reply that waits returns net.ErrClosed.
func (c *Conn) Close() { c.conn.Close() }

// SetReadDeadline limits the time that Reply waits, also for a call under way.
func (c *Conn) SetReadDeadline(at time.Time) { c.conn.SetReadDeadline(at) }

// Request sends an echo request.
func (c *Conn) Request(to netip.Addr, seq uint16) error {
	message := icmp.Message{Type: c.request, Body: &icmp.Echo{ID: c.id, Seq: int(seq)}}
	packet, err := message.Marshal(nil) // the kernel adds the checksum of ICMPv6
	if err != nil {
		return err
	}
	_, err = c.conn.WriteTo(packet, &net.IPAddr{IP: to.AsSlice()})
	return err
}

// Reply waits for a packet. ok is false if it does not answer a request of this socket.
func (c *Conn) Reply() (from netip.Addr, seq uint16, ok bool, err error) {
	n, sender, err := c.conn.ReadFrom(c.buf[:])
	if err != nil {
		return netip.Addr{}, 0, false, err
	}
	seq, ok = c.answers(c.buf[:n])
	if ip, isIP := sender.(*net.IPAddr); isIP {
		from, _ = netip.AddrFromSlice(ip.IP)
	}
	return from.Unmap(), seq, ok, nil
}

// answers returns the number of the request that a packet replies to.
func (c *Conn) answers(packet []byte) (seq uint16, ok bool) {
	message, err := icmp.ParseMessage(c.protocol, packet)
	if err != nil || message.Type != c.reply {
		return 0, false
	}
	echo, ok := message.Body.(*icmp.Echo)
	if !ok || echo.ID != c.id {
		return 0, false
	}
	return uint16(echo.Seq), true
}
