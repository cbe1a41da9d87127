package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"

	"baton/impl/daemon/control"
	"baton/impl/daemon/garp"
	"baton/impl/daemon/internal/netlab"
	"baton/impl/node"
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

// TestALinkThatIsMadeAgain: the heartbeat of a path goes on on the new link once it has its address. A node whose service
// link is made again leaves with an error, so that its supervisor starts it on the new one.
func TestALinkThatIsMadeAgain(t *testing.T) {
	p := newPair(t)
	p.start(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	remade := func(name, network string) {
		lb1.in(t, func() error {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			return errors.Join(netlink.LinkDel(link), netlab.Cable(name, name, lb2.netns))
		})
	}
	up := func(s control.Status) bool {
		return !slices.ContainsFunc(s.Paths, func(p node.PathStatus) bool { return p.State != "Up" })
	}
	remade("sync0", "198.18.2")
	for i, n := range p.nodes {
		n.waitStatus(t, "Down on a path", func(s control.Status) bool { return !up(s) })
		n.in(t, func() error { return netlab.Up("sync0", fmt.Sprintf("198.18.2.%d/24", i+1)) })
	}
	for _, n := range p.nodes {
		n.waitStatus(t, "Up on every path", up)
	}
	lb2.waitStatus(t, "in sync again", syncedBackup)

	remade("client0", "198.18.0")
	for _, n := range p.nodes { // lb2's link was made again, too
		var exit *exec.ExitError
		if err := n.wait(t); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(n.log.String(), "client0 was deleted and made again; the node must be started again") {
			t.Errorf("%s ended with %v\n%s", n.Node, err, n.log.String())
		}
	}
}

// TestASecondNodeTouchesNothing: one that is started beside a node of the same configuration, or of another control
// socket, ends without a trace. The first forwards on.
func TestASecondNodeTouchesNothing(t *testing.T) {
	p := newPair(t)
	lb1 := p.nodes[0]
	p.start(t)
	before := lb1.revisions(t)
	for name, edit := range map[string]func(*testNode){
		"the same configuration": func(*testNode) {},
		"another control socket": func(n *testNode) { n.Control += "2" },
	} {
		cfg := *lb1.Config
		second := &testNode{Config: &cfg, file: lb1.file + "2", netns: lb1.netns}
		edit(second)
		second.writeConfig(t)
		second.start(t)
		if err := second.wait(t); err == nil {
			t.Errorf("%s: a second node runs", name)
		}
		t.Logf("%s: %s", name, second.log.String())
		if after := lb1.revisions(t); !slices.Equal(before, after) {
			t.Errorf("%s: the programs on the links have changed: revisions %v, were %v", name, after, before)
		}
	}
	lb1.waitStatus(t, "MASTER still", is("Master"))
}

// revisions are how often the programs on each service link of the node have changed.
func (n *testNode) revisions(t testing.TB) (list []uint64) {
	t.Helper()
	n.in(t, func() error {
		for _, name := range []string{n.Links.Client, n.Links.Backend} {
			on, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			found, err := link.QueryPrograms(link.QueryOptions{Target: on.Attrs().Index, Attach: ebpf.AttachTCXIngress})
			if err != nil {
				return err
			}
			list = append(list, found.Revision)
		}
		return nil
	})
	return list
}
