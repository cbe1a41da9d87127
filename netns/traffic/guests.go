package traffic

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
)

// guests are addresses that a client sends from without having them: datagrams leave by
// a raw socket, so that the kernel finds the next hop, and the answers are read from a
// packet socket. The kernel has no socket to answer for, so a flow costs no descriptor.
// ARP requests for the addresses are answered here.
type guests struct {
	addrs   []netip.Addr // consecutive
	target  netip.AddrPort
	out, in int // the raw socket, the packet socket
	to      unix.Sockaddr
	mac     [6]byte
	index   int // of the interface
	packet  [ipLen + udpLen + requestLen]byte
	take    func(now clock.Instant, to netip.AddrPort, payload []byte)
	loop    *loop
}

// Lengths and places in frames.
const (
	ethLen, ipLen, udpLen     = 14, 20, 8
	arpOp, arpSender, arpAddr = ethLen + 6, ethLen + 8, ethLen + 14
	arpTargetMAC, arpTarget   = ethLen + 18, ethLen + 24
	arpLen                    = ethLen + 28
	firstGuestPort            = 10_000
)

// openGuests opens the sockets of the addresses and serves them on the loop.
func (l *loop) openGuests(from *client, addrs []netip.Addr, target netip.AddrPort) (*guests, error) {
	if err := l.enter(from.namespace); err != nil {
		return nil, err
	}
	g := &guests{addrs: addrs, target: target, out: -1, in: -1, loop: l, to: &unix.SockaddrInet4{Addr: target.Addr().As4()}}
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
	copy(g.mac[:], link.Attrs().HardwareAddr)
	if g.out, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW); err != nil {
		return err
	}
	if g.in, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return err
	}
	filter, err := g.filter()
	if err != nil {
		return err
	}
	if err = unix.SetsockoptSockFprog(g.in, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}); err != nil {
		return err
	}
	if err = unix.SetsockoptInt(g.in, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return err
	}
	if err = enlargeReceiveBuffer(g.in); err != nil {
		return err
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	return unix.Bind(g.in, &unix.SockaddrLinklayer{Protocol: all, Ifindex: g.index})
}

// filter lets through IPv4 to the addresses, and ARP about them.
func (g *guests) filter() ([]unix.SockFilter, error) {
	bounds := func(a netip.Addr) uint32 { b := a.As4(); return binary.BigEndian.Uint32(b[:]) }
	raw, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_ARP, SkipFalse: 2},
		bpf.LoadAbsolute{Off: arpTarget, Size: 4},
		bpf.Jump{Skip: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IP, SkipFalse: 3},
		bpf.LoadAbsolute{Off: ethLen + 16, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: bounds(g.addrs[0]), SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: bounds(g.addrs[len(g.addrs)-1]), SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: 2048},
	})
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return filter, err
}

// source is the address and port of the i-th flow.
func (g *guests) source(i int) netip.AddrPort {
	return netip.AddrPortFrom(g.addrs[i%len(g.addrs)], uint16(firstGuestPort+i/len(g.addrs)))
}

// flowOf is the flow that has the address and port.
func (g *guests) flowOf(a netip.AddrPort) (i int, known bool) {
	at := slices.Index(g.addrs, a.Addr())
	i = (int(a.Port())-firstGuestPort)*len(g.addrs) + at
	return i, at >= 0 && a.Port() >= firstGuestPort
}

// send sends a request of the i-th flow. Its UDP checksum is left out, as UDP allows;
// the request has one of its own.
func (g *guests) send(i int, s stamp) {
	b, from := g.packet[:], g.source(i)
	b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_UDP
	src, dst := from.Addr().As4(), g.target.Addr().As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	udp := b[ipLen:]
	binary.BigEndian.PutUint16(udp, from.Port())
	binary.BigEndian.PutUint16(udp[2:], g.target.Port())
	binary.BigEndian.PutUint16(udp[4:], udpLen+requestLen)
	putRequest(udp[udpLen:], s)
	_ = unix.Sendto(g.out, b, 0, g.to) // the missing answer says what went wrong
}

func (g *guests) ready(now clock.Instant, _ uint32) {
	for range datagramsPerTurn {
		n, _, err := unix.Recvfrom(g.in, g.loop.buf[:2048], 0)
		if err != nil {
			return
		}
		frame := g.loop.buf[:n]
		switch binary.BigEndian.Uint16(frame[12:]) {
		case unix.ETH_P_ARP:
			g.answerARP(frame)
		case unix.ETH_P_IP:
			g.receive(now, frame[ethLen:])
		}
	}
}

// receive takes a datagram from the target.
func (g *guests) receive(now clock.Instant, ip []byte) {
	if len(ip) < ipLen+udpLen || ip[0] != 0x45 || ip[9] != unix.IPPROTO_UDP {
		return
	}
	udp := ip[ipLen:]
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:16])), binary.BigEndian.Uint16(udp))
	size := int(binary.BigEndian.Uint16(udp[4:]))
	if from != g.target || size < udpLen || size > len(udp) {
		return
	}
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), binary.BigEndian.Uint16(udp[2:]))
	g.take(now, to, udp[udpLen:size])
}

// answerARP answers a request for one of the addresses (RFC 826).
func (g *guests) answerARP(frame []byte) {
	if len(frame) < arpLen || binary.BigEndian.Uint16(frame[arpOp:]) != 1 {
		return
	}
	asked := [4]byte(frame[arpTarget:])
	copy(frame[arpTargetMAC:], frame[arpSender:arpTargetMAC]) // who asked
	copy(frame, frame[arpSender:arpSender+6])
	copy(frame[6:], g.mac[:])
	binary.BigEndian.PutUint16(frame[arpOp:], 2)
	copy(frame[arpSender:], g.mac[:])
	copy(frame[arpAddr:], asked[:])
	_ = unix.Sendto(g.in, frame[:arpLen], 0, &unix.SockaddrLinklayer{Ifindex: g.index})
}
