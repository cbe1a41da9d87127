package bfdio

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
)

var (
	addr1 = netip.MustParseAddr("198.18.2.1")
	addr2 = netip.MustParseAddr("198.18.2.2")
)

// inNetNS runs f on a thread of an unnamed network namespace with a veth pair
// a0–b0 between 198.18.2.1 and 198.18.2.2, the latter in a second namespace.
func inNetNS(t testing.TB, f func(other ns.NetNS)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces and SO_BINDTODEVICE")
	}
	here, err := ns.TempNetNS()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	other, err := ns.TempNetNS()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	err = here.Do(func(ns.NetNS) error {
		veth := netlink.NewVeth(netlink.NewLinkAttrs())
		veth.Name, veth.PeerName, veth.PeerNamespace = "a0", "b0", netlink.NsFd(other.Fd())
		if err := netlink.LinkAdd(veth); err != nil {
			return err
		}
		if err := up("a0", "198.18.2.1/24"); err != nil {
			return err
		}
		if err := other.Do(func(ns.NetNS) error { return up("b0", "198.18.2.2/24") }); err != nil {
			return err
		}
		f(other)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func up(link, address string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(address)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(l, addr); err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

func open(t testing.TB, link string, local, peer netip.Addr) *Socket {
	t.Helper()
	s, err := Open(Config{Link: link, Local: local, Peer: peer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// receive waits for the next packet.
func receive(t testing.TB, s *Socket) Packet {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		p, ok, err := s.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return p
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(s.FD()), Events: unix.POLLIN}}, 100)
	}
	t.Fatal("no packet within 5s")
	return Packet{}
}

func TestPacketsCarryWhatRFC5881Asks(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one := open(t, "a0", addr1, addr2)
		var two *Socket
		_ = other.Do(func(ns.NetNS) error { two = open(t, "b0", addr2, addr1); return nil })

		if err := one.Send([]byte("first")); err != nil {
			t.Fatal(err)
		}
		if p := receive(t, two); string(p.Data) != "first" || p.TTL != 255 {
			t.Errorf("received %q with TTL %d, want %q with 255 (RFC 5881 5)", p.Data, p.TTL, "first")
		}
		local, err := unix.Getsockname(one.tx)
		if err != nil {
			t.Fatal(err)
		}
		if port := local.(*unix.SockaddrInet4).Port; port < firstPort {
			t.Errorf("source port %d, want %d to %d (RFC 5881 4)", port, firstPort, lastPort)
		}
		if tos, err := unix.GetsockoptInt(one.tx, unix.SOL_IP, unix.IP_TOS); err != nil || tos != tosCS6 {
			t.Errorf("TOS %#x, %v; want CS6", tos, err)
		}
		if prio, err := unix.GetsockoptInt(one.tx, unix.SOL_SOCKET, unix.SO_PRIORITY); err != nil || prio != prioControl {
			t.Errorf("priority %d, %v; want %d", prio, err, prioControl)
		}
	})
}

func TestALowTTLIsReported(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one := open(t, "a0", addr1, addr2)
		_ = other.Do(func(ns.NetNS) error {
			two := open(t, "b0", addr2, addr1)
			if err := unix.SetsockoptInt(two.tx, unix.SOL_IP, unix.IP_TTL, 64); err != nil {
				t.Fatal(err)
			}
			return two.Send([]byte("routed"))
		})
		if p := receive(t, one); p.TTL != 64 {
			t.Errorf("TTL %d, want the 64 that was sent", p.TTL)
		}
	})
}

// TestAPacketCameWhenItCame: a packet that waits is stamped by the kernel, not by
// who reads it.
func TestAPacketCameWhenItCame(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one := open(t, "a0", addr1, addr2)
		var two *Socket
		_ = other.Do(func(ns.NetNS) error { two = open(t, "b0", addr2, addr1); return nil })
		send := func() (before, after clock.Instant) {
			before = clock.Instant(read(unix.CLOCK_MONOTONIC))
			if err := two.Send([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			return before, clock.Instant(read(unix.CLOCK_MONOTONIC))
		}
		const waits = 20 * time.Millisecond
		// The clocks are read one after the other, and a thread may lose its core in between.
		const slack = waits / 2
		// The kernel begins to stamp some time after it was asked to.
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
			before, after := send()
			for clock.Instant(read(unix.CLOCK_MONOTONIC)).Sub(after) < waits {
				runtime.Gosched()
			}
			p := receive(t, one)
			if p.At.After(after.Add(slack)) {
				continue
			}
			if p.At.Before(before.Add(-slack)) {
				t.Errorf("came %v before it was sent", before.Sub(p.At))
			}
			return
		}
		t.Errorf("packets that waited for %v are stamped when they are read", waits)
	})
}

func TestAStampOfAnotherTimeIsIgnored(t *testing.T) {
	const now, realtime = clock.Instant(time.Hour), int64(1_700_000_000e9)
	for _, c := range []struct {
		name  string
		stamp int64
		want  clock.Instant
	}{
		{"waited", realtime - int64(3*time.Millisecond), now.Add(-3 * time.Millisecond)},
		{"none", 0, now},
		{"clock set back", realtime + int64(time.Hour), now},
		{"clock set forward", realtime - int64(time.Hour), now},
	} {
		if got := arrival(c.stamp, realtime, now); got != c.want {
			t.Errorf("%s: %v before now, want %v", c.name, now.Sub(got), now.Sub(c.want))
		}
	}
}

func TestStrangersAreDroppedAndCounted(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one := open(t, "a0", addr1, addr2)
		_ = other.Do(func(ns.NetNS) error {
			if err := up("b0", "198.18.2.3/24"); err != nil {
				t.Fatal(err)
			}
			stranger, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(198, 18, 2, 3)}, &net.UDPAddr{IP: net.IPv4(198, 18, 2, 1), Port: Port})
			if err != nil {
				t.Fatal(err)
			}
			defer stranger.Close()
			if _, err := stranger.Write([]byte("spoofed")); err != nil {
				t.Fatal(err)
			}
			return open(t, "b0", addr2, addr1).Send([]byte("peer"))
		})
		if p := receive(t, one); string(p.Data) != "peer" {
			t.Errorf("received %q, want the peer's packet alone", p.Data)
		}
		if _, strangers, err := one.Drops(); strangers != 1 || err != nil {
			t.Errorf("%d strangers, %v; want 1", strangers, err)
		}
	})
}

func TestALongDatagramIsCut(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one := open(t, "a0", addr1, addr2)
		_ = other.Do(func(ns.NetNS) error {
			return open(t, "b0", addr2, addr1).Send(make([]byte, 1400))
		})
		if p := receive(t, one); len(p.Data) != maxPacket {
			t.Errorf("received %d bytes, want %d", len(p.Data), maxPacket)
		}
	})
}

func TestALinkThatIsNotThereIsNamed(t *testing.T) {
	inNetNS(t, func(ns.NetNS) {
		_, err := Open(Config{Link: "sync0", Local: addr1, Peer: addr2})
		if err == nil || !strings.Contains(err.Error(), "198.18.2.1 on sync0") {
			t.Errorf("Open = %v, want an error that names the link", err)
		}
	})
}

func TestAnAddressMayComeLater(t *testing.T) {
	inNetNS(t, func(ns.NetNS) {
		open(t, "a0", netip.MustParseAddr("198.18.2.9"), addr2)
	})
}

func TestReceiveAllocatesNothing(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one := open(t, "a0", addr1, addr2)
		var two *Socket
		_ = other.Do(func(ns.NetNS) error { two = open(t, "b0", addr2, addr1); return nil })
		packet := make([]byte, 24)
		allocs := testing.AllocsPerRun(100, func() {
			if err := two.Send(packet); err != nil {
				t.Fatal(err)
			}
			for ok := false; !ok; runtime.Gosched() {
				_, ok, _ = one.Receive()
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations a packet, want 0", allocs)
		}
	})
}
