package bfdio

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/bfd"
	"baton/impl/daemon/internal/netlab"
)

// linkPair is an EchoLink of a0, and a way to send packets to it from b0.
type linkPair struct {
	t    testing.TB
	link *EchoLink
	fd   int // a packet socket of b0
	to   unix.SockaddrLinklayer
}

// onEchoLink runs f with a link that accepts echo packets to local for session 7.
func onEchoLink(t testing.TB, local netip.Addr, f func(*linkPair)) {
	t.Helper()
	inNetNS(t, func(other ns.NetNS) {
		p := &linkPair{t: t}
		a0, err := net.InterfaceByName("a0")
		if err != nil {
			t.Fatal(err)
		}
		if p.link, err = OpenEchoLink("a0", local.Is6()); err != nil {
			t.Fatal(err)
		}
		defer p.link.Close()
		if err := p.link.Allow(7, local); err != nil {
			t.Fatal(err)
		}
		if err := other.Do(func(ns.NetNS) error {
			b0, err := net.InterfaceByName("b0")
			if err != nil {
				return err
			}
			p.to = unix.SockaddrLinklayer{Protocol: p.link.protocol(), Ifindex: b0.Index}
			p.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(p.fd)
		p.to.Halen = uint8(copy(p.to.Addr[:], a0.HardwareAddr))
		f(p)
	})
}

func (p *linkPair) send(packet []byte) {
	p.t.Helper()
	if err := unix.Sendto(p.fd, packet, 0, &p.to); err != nil {
		p.t.Fatal(err)
	}
}

// next waits for packets.
func (p *linkPair) next() []Datagram {
	p.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		received, _, err := p.link.Receive()
		if err != nil {
			p.t.Fatal(err)
		}
		if len(received) > 0 {
			return kept(received)
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(p.link.FD()), Events: unix.POLLIN}}, 10)
	}
	p.t.Fatal("nothing came within 5s")
	return nil
}

// kept copies packets, which the next Receive overwrites.
func kept(received []Datagram) []Datagram {
	received = slices.Clone(received)
	for i := range received {
		received[i].Data = bytes.Clone(received[i].Data)
	}
	return received
}

// echoOf returns the echo packet of a session with a BFD peer or of an unaffiliated one.
func echoOf(discr uint32, unaffiliated bool) []byte {
	b := make([]byte, 28)
	at := 0
	if unaffiliated {
		b[0], at = 0x20, 4
	}
	binary.BigEndian.PutUint32(b[at:], discr)
	return b
}

// TestAnEchoLinkTakesTheEchoPacketsOfItsSessions: of both kinds, and nothing else that the
// interface carries. Invalid packets to the echo port of a local address are counted by
// reason.
func TestAnEchoLinkTakesTheEchoPacketsOfItsSessions(t *testing.T) {
	for protocol, ends := range echoEnds {
		t.Run(protocol, func(t *testing.T) {
			source, local := ends[0], ends[1]
			ttl, port := 8, ipv4HeaderLen+2
			if local.Is6() {
				ttl, port = 7, ipv6HeaderLen+2
			}
			changed := func(at int, to byte) []byte {
				b := appendEcho(nil, source, local, echoOf(7, false))
				b[at] = to
				if local.Is4() { // the checksum of the header
					copy(b[10:], []byte{0, 0})
					binary.BigEndian.PutUint16(b[10:], ^fold(sum(0, b[:ipv4HeaderLen])))
				}
				return b
			}
			onEchoLink(t, local, func(p *linkPair) {
				unnoticed := [][]byte{
					appendEcho(nil, source, local.Next(), echoOf(7, false)), // such as the peer's own
					changed(port+1, 0xc8), // to the control port
				}
				if local.Is4() {
					unnoticed = append(unnoticed, changed(6, 0x20), changed(9, unix.IPPROTO_TCP), changed(0, 0x46))
				} else {
					unnoticed = append(unnoticed, changed(6, unix.IPPROTO_TCP))
				}
				for _, b := range unnoticed {
					p.send(b)
				}
				p.send(changed(ttl, 253))
				p.send(appendEcho(nil, source, local, echoOf(8, false)))
				p.send(appendEcho(nil, source, local, echoOf(8, true)))
				p.send(appendEcho(nil, source, local, echoOf(7, true)[:23]))
				p.send(appendEcho(nil, source, local, nil))
				p.send(changed(ttl, 254))
				p.send(appendEcho(nil, source, local, echoOf(7, true)))
				got := p.next()
				for len(got) < 2 {
					got = append(got, p.next()...)
				}
				for i, want := range []uint8{254, 255} {
					d := got[i]
					if d.TTL != want || d.From != source || d.To != local || d.Link != p.link.Index() || len(d.Data) != 28 || d.At == 0 {
						t.Errorf("received %+v", d)
					}
				}
				drops, err := p.link.Drops()
				var want Drops
				want.Reasons[bfd.DropTTL], want.Reasons[bfd.DropEchoForged], want.Reasons[bfd.DropLength] = 1, 2, 2
				if err != nil || drops != want || len(got) != 2 || p.link.Damaged() != 0 {
					t.Errorf("%d received, %d damaged, drops %v, %v; want 2, none and %v", len(got), p.link.Damaged(), drops, err, want)
				}
			})
		})
	}
}

// TestAnEchoLinkLeavesOutDamagedPackets: it also counts them.
func TestAnEchoLinkLeavesOutDamagedPackets(t *testing.T) {
	ends := echoEnds["IPv4"]
	onEchoLink(t, ends[1], func(p *linkPair) {
		damaged := appendEcho(nil, ends[0], ends[1], echoOf(7, false))
		damaged[len(damaged)-1] ^= 1
		p.send(damaged)
		p.send(appendEcho(nil, ends[0], ends[1], echoOf(7, true)))
		if got := p.next(); len(got) != 1 || got[0].Data[0] != 0x20 || p.link.Damaged() != 1 {
			t.Errorf("received %+v, %d damaged; want the whole one alone", got, p.link.Damaged())
		}
	})
}

// TestEchoPacketsCostNoAllocation: neither sending nor receiving.
func TestEchoPacketsCostNoAllocation(t *testing.T) {
	for protocol, ends := range echoEnds {
		t.Run(protocol, func(t *testing.T) {
			onEchoLink(t, ends[1], func(p *linkPair) {
				sender := p.link.Sender(ends[0], ends[1])
				sender.SetNeighbour(net.HardwareAddr{2, 0, 0, 0, 0, 1})
				out := echoOf(7, false)
				in := appendEcho(nil, ends[0], ends[1], out)
				var failure error
				if n := testing.AllocsPerRun(100, func() {
					if err := sender.Send(out); err != nil {
						failure = err
					}
					if err := unix.Sendto(p.fd, in, 0, &p.to); err != nil {
						failure = err
					}
					if _, _, err := p.link.Receive(); err != nil {
						failure = err
					}
				}); n != 0 || failure != nil {
					t.Errorf("%v allocations for a packet sent and one received, %v", n, failure)
				}
			})
		})
	}
}

// TestAnEchoSenderWithoutANeighbourSendsNothing: not to the broadcast address, from which
// every system on the link would forward it.
func TestAnEchoSenderWithoutANeighbourSendsNothing(t *testing.T) {
	ends := echoEnds["IPv4"]
	onEchoLink(t, ends[1], func(p *linkPair) {
		s := p.link.Sender(ends[0], ends[1])
		mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
		for _, c := range []struct {
			neighbour net.HardwareAddr
			sends     bool
		}{{nil, false}, {mac, true}, {nil, false}} {
			s.SetNeighbour(c.neighbour)
			if err := s.Send(echoOf(7, false)); (err == nil) != c.sends || s.Neighbour().String() != c.neighbour.String() {
				t.Errorf("to %v: %v, neighbour %v", c.neighbour, err, s.Neighbour())
			}
		}
	})
}

// TestEchoPacketsOfALinkWithoutLinkLayerAddresses: a tunnel, with nothing to resolve and
// only the IP packet to send.
func TestEchoPacketsOfALinkWithoutLinkLayerAddresses(t *testing.T) {
	for protocol, ends := range echoEnds {
		t.Run(protocol, func(t *testing.T) {
			inNetNS(t, func(ns.NetNS) {
				attrs := netlink.NewLinkAttrs()
				attrs.Name = "tun0"
				tun := &netlink.Tuntap{LinkAttrs: attrs, Mode: netlink.TUNTAP_MODE_TUN, Flags: netlink.TUNTAP_NO_PI, Queues: 1}
				if err := netlink.LinkAdd(tun); err != nil {
					t.Skipf("no tunnel: %v", err)
				}
				defer tun.Fds[0].Close()
				if err := netlab.Up("tun0"); err != nil {
					t.Fatal(err)
				}
				l, err := OpenEchoLink("tun0", ends[0].Is6())
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				if err := l.Allow(7, ends[1]); err != nil {
					t.Fatal(err)
				}
				s := l.Sender(ends[0], ends[1])
				s.SetNeighbour(nil)
				if err := s.Send(echoOf(7, false)); err != nil {
					t.Fatal(err)
				}
				want, got := appendEcho(nil, ends[0], ends[1], echoOf(7, false)), make([]byte, 256)
				for n := 0; !bytes.Equal(got[:n], want); { // the kernel may send something of its own
					if err := tun.Fds[0].SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
						t.Fatal(err)
					}
					if n, err = tun.Fds[0].Read(got); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := tun.Fds[0].Write(want); err != nil {
					t.Fatal(err)
				}
				p := &linkPair{t: t, link: l}
				if d := p.next(); len(d) != 1 || d[0].To != ends[1] {
					t.Errorf("received %+v", d)
				}
			})
		})
	}
}
