package daemon

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"baton/impl/daemon/control"
	"baton/impl/daemon/internal/netlab"
)

// TestALinkThatChanges: what a link becomes reaches the parts that depend on it. The
// announcements of a MASTER carry the hardware address that the link has now, and a link
// that was down gets its neighbour entries back at once and not with the next round.
func TestALinkThatChanges(t *testing.T) {
	p := newPair(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	backend := lb1.Services[0].Backends[0].Addr()
	lb2.in(t, func() error { return netlab.Up("backend0", backend.String()+"/24") })
	for _, n := range p.nodes {
		n.start(t)
	}
	lb1.waitStatus(t, "MASTER", is("Master"))
	lb2.waitStatus(t, "BACKUP and in sync", syncedBackup)

	vip := lb1.Services[0].VIP
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 7}
	onLink := func(name string, f func(netlink.Link) error) {
		lb1.in(t, func() error {
			link, err := netlink.LinkByName(name)
			return errors.Join(err, f(link))
		})
	}
	listener := onNetworkOf(t, lb2)
	onLink("client0", func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, mac) })
	listener.awaitAnnouncement(t, vip.As4(), mac)

	// Rounds are five seconds apart: without one at each flap three flaps take more than ten.
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
		onLink("backend0", func(l netlink.Link) error { return errors.Join(netlink.LinkSetDown(l), netlink.LinkSetUp(l)) })
		await()
	}
	if took := time.Since(began); took > limit {
		t.Errorf("after %d flaps of the link its neighbours were resolved in %v, want %v at most", flaps, took, limit)
	}
	lb1.waitStatus(t, "answering", func(control.Status) bool { return true })
}

// awaitAnnouncement reads until a VIP is announced for a hardware address.
func (s *squatter) awaitAnnouncement(t *testing.T, vip [4]byte, mac net.HardwareAddr) {
	t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for buf := make([]byte, 128); ; {
		read, _, err := s.conn.ReadFrom(buf)
		if err != nil {
			t.Fatalf("%v is not announced for %v within %v: %v", vip, mac, patience, err)
		}
		if f := buf[:read]; read >= 42 && [4]byte(f[28:32]) == vip && [4]byte(f[38:42]) == vip && net.HardwareAddr(f[22:28]).String() == mac.String() {
			return
		}
	}
}
