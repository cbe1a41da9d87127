package daemon

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"

	"baton/impl/daemon/control"
	"baton/impl/daemon/garp"
	"baton/impl/daemon/internal/netlab"
)

// TestALinkThatChanges: changes of a link reach the parts that depend on it. A MASTER's
// announcements and ARP answers have the link's current hardware address, hosts with the
// old one are updated at once, and a link that was down gets its neighbour entries back at
// once, not with the next round.
func TestALinkThatChanges(t *testing.T) {
	p := newPair(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	backend := lb1.Services[0].Backends[0].Addr()
	lb2.in(t, func() error { return netlab.Up("backend0", backend.String()+"/24") })
	p.start(t)

	vip := lb1.Services[0].VIP
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 7}
	onLink := func(name string, f func(netlink.Link) error) {
		lb1.in(t, func() error {
			link, err := netlink.LinkByName(name)
			return errors.Join(err, f(link))
		})
	}
	listener := onNetworkOf(t, lb2, "client0")
	onLink("client0", func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, mac) })
	listener.await(t, arpRequest, vip, mac)
	listener.ask(t, vip)
	listener.await(t, arpReply, vip, mac)

	// Rounds are five seconds apart: without one at each flap, three flaps take more than
	// ten.
	const flaps, limit = 3, 8 * time.Second
	resolved := func() (found bool) {
		onLink("backend0", func(l netlink.Link) error {
			list, err := netlink.NeighList(l.Attrs().Index, netlink.FAMILY_V4)
			for _, n := range list {
				found = found || n.IP.Equal(backend.AsSlice()) && n.State&netlink.NUD_REACHABLE != 0
			}
			return err
		})
		return found
	}
	await := func() {
		for deadline := time.Now().Add(patience); !resolved(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the backend is not resolved within %v", patience)
			}
		}
	}
	await()
	began := time.Now()
	for range flaps {
		lb1.in(t, func() error { return netlab.Flap("backend0") })
		await()
		if took := time.Since(began); took > limit {
			t.Fatalf("%d flaps of the link and its neighbours are not resolved within %v", flaps, limit)
		}
	}
	lb1.waitStatus(t, "answering", func(control.Status) bool { return true })
}

// Operations of ARP (RFC 826).
const arpRequest, arpReply = 1, 2

// ask asks who has a VIP.
func (s *squatter) ask(t *testing.T, vip netip.Addr) {
	t.Helper()
	frame := garp.Frame(s.mac, vip)
	copy(frame[28:], []byte{198, 18, 0, 99}) // its own address instead of the VIP
	if _, err := s.conn.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr{255, 255, 255, 255, 255, 255}}); err != nil {
		t.Fatal(err)
	}
}

// await reads until an ARP operation maps a VIP to a hardware address.
func (s *squatter) await(t *testing.T, operation byte, vip netip.Addr, mac net.HardwareAddr) {
	t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(patience / 4)); err != nil {
		t.Fatal(err)
	}
	for buf := make([]byte, 128); ; {
		read, _, err := s.conn.ReadFrom(buf)
		if err != nil {
			t.Fatalf("nobody says by operation %d that %v is at %v: %v", operation, vip, mac, err)
		}
		if f := buf[:read]; read >= 42 && f[21] == operation && [4]byte(f[28:32]) == vip.As4() && net.HardwareAddr(f[22:28]).String() == mac.String() {
			return
		}
	}
}
