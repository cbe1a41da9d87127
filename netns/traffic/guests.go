package traffic

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/flow"
	"baton/netns/internal/ip"
	"baton/scenarios/lab"
)

// guests are source addresses that the client's kernel does not own. Packets leave by a raw
// socket, so that the kernel resolves the next hop; answers are read from a packet socket.
// The kernel therefore sends no RST for them, and a flow costs no descriptor. ARP requests
// and neighbour solicitations for the addresses are answered here.
type guests struct {
	guestFamily
	addrs   []netip.Addr // in their order
	target  netip.AddrPort
	out, in int // the raw socket, the packet socket
	to      unix.Sockaddr
	mac     net.HardwareAddr
	index   int    // of the interface
	packet  []byte // buffer of the next packet
	loop    *loop

	// Handlers of received UDP payloads and TCP segments.
	datagram func(now clock.Instant, to netip.AddrPort, payload []byte)
	segment  func(now clock.Instant, s segment)
}

// guestFamily builds and parses the packets of an address family.
type guestFamily struct {
	domain       int
	etherType    uint16
	header       int // length of the header
	sourceAt     int // offset of the source address; the destination follows it
	protocolAt   int // offset of the protocol
	filter       func(first, last netip.Addr) []bpf.Instruction
	writeSum     func(packet []byte) // writes the UDP checksum
	isQuestion   func(frame []byte) bool
	answer       func(g *guests, question []byte) []byte // nil if the question is for another address
	questionType uint16                                  // EtherType of questions
}

// Lengths and offsets in frames.
const (
	ethLen, udpLen = 14, 8
	firstGuestPort = 10_000
)

// openGuests opens the sockets of the addresses and serves them on the loop.
func (l *loop) openGuests(from *client, addrs []netip.Addr, target netip.AddrPort) (*guests, error) {
	if err := l.enter(from.namespace); err != nil {
		return nil, err
	}
	family := guestFamilies[lab.FamilyOf(target.Addr())]
	g := &guests{guestFamily: family, addrs: addrs, target: target, out: -1, in: -1, loop: l, to: sockaddr(netip.AddrPortFrom(target.Addr(), 0))}
	g.packet = append(ip.Header(flow.AddrFrom(addrs[0]), flow.AddrFrom(target.Addr()), unix.IPPROTO_UDP, 64, udpLen+requestLen), make([]byte, udpLen+requestLen)...)
	err := g.open()
	if err == nil {
		err = l.add(from.name, g.in, unix.EPOLLIN, g)
	}
	if err != nil {
		for _, fd := range []int{g.out, g.in} {
			if fd >= 0 {
				_ = unix.Close(fd)
			}
		}
		return nil, fmt.Errorf("traffic: send from %s and on: %w", addrs[0], err)
	}
	return g, l.add(from.name, g.out, 0, g)
}

func (g *guests) open() (err error) {
	routes, err := netlink.RouteGet(g.target.Addr().AsSlice())
	if err != nil {
		return err
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return err
	}
	g.index = link.Attrs().Index
	g.mac = link.Attrs().HardwareAddr
	if g.out, err = openRaw(lab.FamilyOf(g.target.Addr())); err != nil {
		return err
	}
	g.in, err = openPackets(g.filter(g.addrs[0], g.addrs[len(g.addrs)-1]), g.index)
	return err
}

// assemble converts a filter for the kernel.
func assemble(program []bpf.Instruction) ([]unix.SockFilter, error) {
	raw, err := bpf.Assemble(program)
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return filter, err
}

// source returns the address and port of the i-th place.
func (g *guests) source(i int) netip.AddrPort {
	return netip.AddrPortFrom(g.addrs[i%len(g.addrs)], uint16(firstGuestPort+i/len(g.addrs)))
}

// placeOf returns the index of the place with the address and port.
func (g *guests) placeOf(a netip.AddrPort) (i int, known bool) {
	at := slices.Index(g.addrs, a.Addr())
	i = (int(a.Port())-firstGuestPort)*len(g.addrs) + at
	return i, at >= 0 && a.Port() >= firstGuestPort
}

// sendSegment sends a segment from the i-th place.
func (g *guests) sendSegment(i int, s segment) {
	s.from, s.to = g.source(i), g.target
	_ = unix.Sendto(g.out, s.packet(), 0, g.to) // an error shows as a missing answer
}

// send sends a request from the i-th place.
func (g *guests) send(i int, s stamp) {
	b, from := g.packet, g.source(i)
	copy(b[g.sourceAt:], from.Addr().AsSlice())
	udp := b[g.header:]
	binary.BigEndian.PutUint16(udp, from.Port())
	binary.BigEndian.PutUint16(udp[2:], g.target.Port())
	binary.BigEndian.PutUint16(udp[4:], udpLen+requestLen)
	putRequest(udp[udpLen:], s)
	g.writeSum(b)
	_ = unix.Sendto(g.out, b, 0, g.to) // an error shows as a missing answer
}

func (g *guests) ready(now clock.Instant, _ uint32) {
	for range datagramsPerTurn {
		n, _, err := unix.Recvfrom(g.in, g.loop.buf[:wholeFrame], 0)
		if err != nil {
			return
		}
		frame := g.loop.buf[:n]
		switch ether := binary.BigEndian.Uint16(frame[12:]); {
		case ether == g.questionType && g.isQuestion(frame):
			if answer := g.answer(g, frame); answer != nil {
				_ = unix.Sendto(g.in, answer, 0, &unix.SockaddrLinklayer{Ifindex: g.index})
			}
		case ether == g.etherType:
			g.receive(now, frame[ethLen:])
		}
	}
}

// receive handles a packet from the target.
func (g *guests) receive(now clock.Instant, packet []byte) {
	if g.segment != nil {
		if s, ok := parseSegment(packet); ok && s.from == g.target && (s.marked || s.flags&tcpRST != 0) {
			g.segment(now, s)
		}
		return
	}
	if len(packet) < g.header+udpLen || packet[0] != g.packet[0] || packet[g.protocolAt] != unix.IPPROTO_UDP {
		return
	}
	udp, length := packet[g.header:], len(g.target.Addr().AsSlice())
	addr := func(at int) netip.Addr { a, _ := netip.AddrFromSlice(packet[at : at+length]); return a }
	from := netip.AddrPortFrom(addr(g.sourceAt), binary.BigEndian.Uint16(udp))
	size := int(binary.BigEndian.Uint16(udp[4:]))
	if from != g.target || size < udpLen || size > len(udp) {
		return
	}
	to := netip.AddrPortFrom(addr(g.sourceAt+length), binary.BigEndian.Uint16(udp[2:]))
	g.datagram(now, to, udp[udpLen:size])
}
