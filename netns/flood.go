package netns

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/flow"
	"baton/netns/internal/hostclock"
	"baton/netns/internal/ip"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// Flood describes a client's flood.
type Flood struct {
	Kind   string // a kind of package fault
	From   string // the client
	To     netip.AddrPort
	Victim netip.Addr // spoofed source, for the kinds that spoof one
	Rate   float64    // packets per second
	For    time.Duration
	Seed   uint64
}

// flooding is a running flood. It has its own thread.
type flooding struct {
	Flood
	socket int
	to     unix.Sockaddr
	random *rand.Rand
	at     Interface
	packet func(*flooding) []byte
	sent   uint64
	stop   chan struct{}
	ended  chan struct{}
}

// StartFlood starts a flood. The receipt is that its first packet has left.
func (p *Pair) StartFlood(ctx context.Context, f Flood) (receipt string, err error) {
	h := p.byName[f.From]
	if h == nil {
		return "", fmt.Errorf("netns: no host %q", f.From)
	}
	at, ok := h.Interface(lab.Clients)
	if !ok {
		return "", fmt.Errorf("netns: %s is not on the link %s", f.From, lab.Clients)
	}
	fl := &flooding{Flood: f, at: at, random: rand.New(rand.NewPCG(f.Seed, 0x666c6f6f64)), stop: make(chan struct{}), ended: make(chan struct{})}
	if err := h.Do(func() error { return fl.open(h) }); err != nil {
		return "", noReceipt("flood: %w", err)
	}
	if err := fl.send(); err != nil {
		_ = unix.Close(fl.socket)
		return "", noReceipt("flood: the first packet: %w", err)
	}
	p.mu.Lock()
	p.floods = append(p.floods, fl)
	p.mu.Unlock()
	go fl.run()
	return "the first packet has left", nil
}

// open opens the sending socket: raw IP, so that the kernel resolves the next hop, or raw
// frames for announcements.
func (f *flooding) open(h *Host) (err error) {
	if f.Kind != fault.FloodGARP {
		f.packet = packets[f.Kind]
		domain := unix.AF_INET
		f.to = &unix.SockaddrInet4{Addr: f.target().As4()}
		if f.family() == lab.IPv6 {
			domain, f.to = unix.AF_INET6, &unix.SockaddrInet6{Addr: f.target()}
		}
		f.socket, err = unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
		return err
	}
	device, err := h.links.LinkByName(f.at.Name)
	if err != nil {
		return err
	}
	f.packet = (*flooding).announcement
	f.to = &unix.SockaddrLinklayer{Ifindex: device.Attrs().Index}
	f.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	return err
}

// packets maps each kind that uses a raw IP socket to its packet builder.
var packets = map[string]func(*flooding) []byte{
	fault.FloodSYN: func(f *flooding) []byte { return f.segment(f.unassigned(), tcpSYN) },
	fault.FloodRST: func(f *flooding) []byte { return f.segment(f.Victim, tcpRST) },
	fault.FloodUDP: func(f *flooding) []byte { return f.datagram(f.unassigned(), f.port(), hostTTL, make([]byte, 16)) },
	fault.FloodBFD: func(f *flooding) []byte { return f.datagram(f.Victim, bfdSourcePort, bfdTTL, f.heartbeat()) },
}

const (
	tcpRST        = 0x04
	bfdSourcePort = 49152
	hostTTL       = 64  // as hosts send
	bfdTTL        = 255 // RFC 5881 5
	floodTick     = time.Millisecond
)

// run sends the packets that are due, every millisecond, until the flood's time is over.
func (f *flooding) run() {
	runtime.LockOSThread()
	defer close(f.ended)
	defer unix.Close(f.socket)
	began := hostclock.Now()
	tick := time.NewTicker(floodTick)
	defer tick.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-tick.C:
		}
		gone := hostclock.Now().Sub(began)
		due := uint64(f.Rate * min(gone, f.For).Seconds())
		for f.sent < due && f.sent < fault.MaxFlood {
			_ = f.send() // a packet that the kernel refuses is lost
		}
		if gone >= f.For {
			return
		}
	}
}

func (f *flooding) send() error {
	f.sent++
	return unix.Sendto(f.socket, f.packet(f), 0, f.to)
}

// end stops the flood early.
func (f *flooding) end() {
	close(f.stop)
	<-f.ended
}

// unassigned returns an address that no host has.
func (f *flooding) unassigned() netip.Addr { return f.family().Stranger(f.random.IntN(lab.Strangers)) }

// family returns the family of the target.
func (f *flooding) family() lab.Family { return lab.FamilyOf(f.To.Addr()) }

// port returns a random ephemeral port.
func (f *flooding) port() uint16 { return uint16(32768 + f.random.IntN(60999-32768)) }

// packetOf wraps a payload into an IP packet to the flood's target.
func (f *flooding) packetOf(source netip.Addr, protocol, hops uint8, payload []byte) []byte {
	return slices.Concat(ip.Header(flow.AddrFrom(source), f.target(), protocol, hops, len(payload)), payload)
}

func (f *flooding) target() flow.Addr { return flow.AddrFrom(f.To.Addr()) }

func (f *flooding) segment(source netip.Addr, flags uint8) []byte {
	tcp := make([]byte, tcpEnd-ipEnd)
	binary.BigEndian.PutUint16(tcp, f.port())
	binary.BigEndian.PutUint16(tcp[2:], f.To.Port())
	binary.BigEndian.PutUint32(tcp[4:], f.random.Uint32())
	tcp[12], tcp[13] = byte(len(tcp)/4)<<4, flags
	binary.BigEndian.PutUint16(tcp[14:], 64240) // window
	binary.BigEndian.PutUint16(tcp[16:], ip.TransportChecksum(flow.AddrFrom(source), f.target(), lab.ProtoTCP, tcp))
	return f.packetOf(source, lab.ProtoTCP, hostTTL, tcp)
}

// datagram builds a UDP datagram. Over IPv4 it omits the checksum.
func (f *flooding) datagram(source netip.Addr, port uint16, hops uint8, payload []byte) []byte {
	udp := slices.Concat(make([]byte, udpEnd-ipEnd), payload)
	binary.BigEndian.PutUint16(udp, port)
	binary.BigEndian.PutUint16(udp[2:], f.To.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	if f.family() == lab.IPv6 {
		binary.BigEndian.PutUint16(udp[6:], ip.TransportChecksum(flow.AddrFrom(source), f.target(), lab.ProtoUDP, udp))
	}
	return f.packetOf(source, lab.ProtoUDP, hops, udp)
}

// heartbeat builds a BFD packet in state AdminDown with random discriminators (RFC 5880
// 4.1).
func (f *flooding) heartbeat() []byte {
	b := make([]byte, 24)
	b[0], b[2], b[3] = 1<<5, 3, byte(len(b))
	binary.BigEndian.PutUint32(b[4:], f.random.Uint32()|1)
	binary.BigEndian.PutUint32(b[8:], f.random.Uint32()|1)
	for _, interval := range []int{12, 16} {
		binary.BigEndian.PutUint32(b[interval:], 1_000_000)
	}
	return b
}

// announcement claims the target's address for the client: an ARP announcement (RFC 5227 3)
// or an unsolicited neighbour advertisement (RFC 4861 7.2.6).
func (f *flooding) announcement() []byte {
	if f.family() == lab.IPv6 {
		return slices.Concat(ip.AllNodesMAC, f.at.MAC, binary.BigEndian.AppendUint16(nil, ip.EtherIPv6),
			ip.Advertisement(f.target(), f.at.MAC, ip.AllNodes, ip.FlagOverride))
	}
	return slices.Concat(broadcast, f.at.MAC, arpQuestion(f.at.MAC, f.target(), f.target()))
}

var broadcast = []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
