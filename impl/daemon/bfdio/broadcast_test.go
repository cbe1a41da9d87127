package bfdio

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// silence stops a0 from answering requests for its hardware address, as one-way loss would.
func silence(t *testing.T) {
	t.Helper()
	link, err := netlink.LinkByName("a0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetARPOff(link); err != nil {
		t.Fatal(err)
	}
}

// TestABroadcastWaitsForNoNeighbour: it reaches a system that answers neither ARP nor
// neighbour discovery, and counts as a packet of the session. The sender's own packets
// wait.
func TestABroadcastWaitsForNoNeighbour(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		silence(t)
		for _, c := range []struct{ here, there string }{{"198.18.2.1", "198.18.2.2"}, {"2001:2:0:2::1", "2001:2:0:2::2"}} {
			here, there := netip.MustParseAddr(c.here), netip.MustParseAddr(c.there)
			waitLocal(t, here)
			l, err := Listen(ListenConfig{Link: "a0", Local: here, Port: Port})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(l.Close)
			var one *Sender
			var all *Broadcaster
			err = other.Do(func(ns.NetNS) (err error) {
				if one, err = OpenSender(Route{Link: "b0", Local: there, Peer: here, Port: Port}, &SourcePorts{}); err != nil {
					return err
				}
				all, err = OpenBroadcaster(one)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(one.Close)
			t.Cleanup(all.Close)
			send(t, one, []byte("waits"))
			for _, packet := range []string{"even", "odd"} { // an even and an odd length, for the checksum
				if err := all.Send([]byte(packet)); err != nil {
					t.Fatal(err)
				}
				if d := receive(t, l); string(d.Data) != packet || d.TTL != SendTTL || d.From != there || d.To != here {
					t.Errorf("received %+v, want %q from %v with TTL %d (RFC 5881 5)", d, packet, there, SendTTL)
				}
			}
			if port := senderPort(t, l, all); port != one.SourcePort() {
				t.Errorf("broadcast from port %d, want the session's %d (RFC 5881 4)", port, one.SourcePort())
			}
		}
	})
}

// waitLocal waits until the calling thread's namespace accepts packets to an address, which
// IPv6 does shortly after the address was added.
func waitLocal(t *testing.T, addr netip.Addr) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		routes, err := netlink.RouteGet(addr.AsSlice())
		if err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
			return
		}
	}
	t.Fatalf("%v is not local within 5s", addr)
}

// senderPort returns the source port of a broadcast.
func senderPort(t *testing.T, l *Listener, all *Broadcaster) int {
	t.Helper()
	if err := all.Send([]byte("port")); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(l.FD()), Events: unix.POLLIN}}, 5000); err != nil {
		t.Fatal(err)
	}
	_, from, err := unix.Recvfrom(l.FD(), make([]byte, 64), unix.MSG_DONTWAIT)
	if err != nil {
		t.Fatal(err)
	}
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		return from.Port
	case *unix.SockaddrInet6:
		return from.Port
	}
	return 0
}

// TestABroadcastHasTheControlPriority: it has the priority of the session's other packets and needs no
// allocation.
func TestABroadcastHasTheControlPriority(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		one := sender(t, other)
		var all *Broadcaster
		if err := other.Do(func(ns.NetNS) (err error) { all, err = OpenBroadcaster(one); return err }); err != nil {
			t.Fatal(err)
		}
		defer all.Close()
		if prio, err := unix.GetsockoptInt(all.fd, unix.SOL_SOCKET, unix.SO_PRIORITY); err != nil || prio != prioControl {
			t.Errorf("priority %d, %v; want %d", prio, err, prioControl)
		}
		packet := make([]byte, 24)
		if allocs := testing.AllocsPerRun(100, func() {
			if err := all.Send(packet); err != nil {
				t.Fatal(err)
			}
		}); allocs != 0 {
			t.Errorf("%v allocations a packet, want none", allocs)
		}
	})
}

// TestDropsBroadcasts: by the setting of the link or of all links, for IPv4 and IPv6.
func TestDropsBroadcasts(t *testing.T) {
	inNetNS(t, func(ns.NetNS) {
		for _, c := range []struct {
			setting string
			v6      bool
		}{{"ipv4/conf/a0", false}, {"ipv4/conf/all", false}, {"ipv6/conf/a0", true}} {
			for _, value := range []string{"1", "0"} {
				if err := os.WriteFile("/proc/sys/net/"+c.setting+"/drop_unicast_in_l2_multicast", []byte(value), 0o644); err != nil {
					t.Fatal(err)
				}
				if drops, err := DropsBroadcasts("a0", c.v6); err != nil || drops != (value == "1") {
					t.Errorf("%s = %s: drops %v, %v", c.setting, value, drops, err)
				}
			}
		}
	})
}
