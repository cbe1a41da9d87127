package arpwatch

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/impl/daemon/garp"
	"baton/impl/daemon/internal/netlab"
	"baton/impl/dataplane"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

var (
	vip     = netip.MustParseAddr("198.18.0.100")
	peer    = netip.MustParseAddr("198.18.0.2")
	peerMAC = net.HardwareAddr{2, 0, 0, 0, 0, 2}
	foreign = net.HardwareAddr{2, 0, 0, 0, 0, 0x66}
)

// lab is a node's namespace with one link to another, from which frames are sent as if by
// any host.
type lab struct {
	node, world ns.NetNS
	out         *packet.Conn
	claims      chan Claim
	watcher     *Watcher
	peerMay     atomic.Bool // announce the VIPs
}

func newLab(t *testing.T, peers map[string]netip.Addr) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces and packet sockets")
	}
	l := &lab{node: netlab.Space(t), world: netlab.Space(t), claims: make(chan Claim, 1024)}
	netlab.In(t, l.node, func() error { return netlab.Cable("client0", "eth0", l.world) })
	netlab.In(t, l.node, func() error { return netlab.Up("client0", "198.18.0.1/24") })
	netlab.In(t, l.world, func() error { return netlab.Up("eth0") })
	netlab.In(t, l.world, func() error {
		iface, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		l.out, err = packet.Listen(iface, packet.Raw, unix.ETH_P_ARP, nil)
		return err
	})
	t.Cleanup(func() { l.out.Close() })
	var w *Watcher
	netlab.In(t, l.node, func() (err error) {
		w, err = Open(Config{
			VIPs:  []dataplane.VIP{{Addr: vip, Link: "client0"}, {Addr: netip.MustParseAddr("198.18.0.101"), Link: "client0"}},
			Peers: peers, PeerMay: l.peerMay.Load, Report: func(c Claim) { l.claims <- c },
		})
		return err
	})
	l.watcher = w
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
			w.Close()
		case <-time.After(patience):
			t.Error("Run did not return after its context was done")
		}
	})
	return l
}

// knows gives the node a neighbour entry.
func (l *lab) knows(t *testing.T, addr netip.Addr, mac net.HardwareAddr) {
	t.Helper()
	netlab.In(t, l.node, func() error {
		link, err := netlink.LinkByName("client0")
		if err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, IP: addr.AsSlice(), State: netlink.NUD_PERMANENT, HardwareAddr: mac})
	})
}

// claim sends an announcement, or the reply that some hosts send instead.
func (l *lab) claim(t *testing.T, addr netip.Addr, mac net.HardwareAddr, reply bool) {
	t.Helper()
	frame := garp.Frame(mac, addr)
	if reply {
		frame[21] = 2
	}
	if _, err := l.out.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr{255, 255, 255, 255, 255, 255}}); err != nil {
		t.Fatal(err)
	}
}

// next returns the next report. Earlier frames of others would have been reported before
// it.
func (l *lab) next(t *testing.T) Claim {
	t.Helper()
	select {
	case c := <-l.claims:
		return c
	case <-time.After(patience):
		t.Fatalf("nothing reported within %v", patience)
		return Claim{}
	}
}

func ownMAC(t *testing.T, l *lab) (mac net.HardwareAddr) {
	t.Helper()
	netlab.In(t, l.node, func() error {
		iface, err := net.InterfaceByName("client0")
		if err == nil {
			mac = iface.HardwareAddr
		}
		return err
	})
	return mac
}

// TestOnlyForeignClaimsOfVIPsAreReported: not this node, not the peer, and only VIPs.
func TestOnlyForeignClaimsOfVIPsAreReported(t *testing.T) {
	l := newLab(t, map[string]netip.Addr{"client0": peer})
	l.knows(t, peer, peerMAC)
	for _, reply := range []bool{false, true} {
		l.claim(t, vip, peerMAC, reply)
		l.claim(t, vip, ownMAC(t, l), reply)
		l.claim(t, netip.MustParseAddr("198.18.0.99"), foreign, reply)
		l.claim(t, vip, foreign, reply)
		if c := l.next(t); c.VIP != vip || c.MAC.String() != foreign.String() || c.Link != "client0" || c.Count != 1 || c.MaybePeer {
			t.Errorf("reply %v: reported %+v", reply, c)
		}
	}
	moved := net.HardwareAddr{2, 0, 0, 0, 0, 3}
	l.knows(t, peer, moved) // another interface of the peer
	l.claim(t, vip, moved, false)
	l.claim(t, netip.MustParseAddr("198.18.0.101"), foreign, false)
	if c := l.next(t); c.MAC.String() != foreign.String() {
		t.Errorf("the peer with another hardware address was reported: %+v", c)
	}
}

// TestVIPsAreWatchedFromWhenTheyAreSet, and removed ones no longer.
// TestAShortFrameStopsNothing: it claims nothing, and the next frame is read.
func TestAShortFrameStopsNothing(t *testing.T) {
	l := newLab(t, map[string]netip.Addr{"client0": peer})
	l.knows(t, peer, peerMAC)
	all := &packet.Addr{HardwareAddr: net.HardwareAddr{255, 255, 255, 255, 255, 255}}
	for _, size := range []int{15, 32, 41} {
		if _, err := l.out.WriteTo(garp.Frame(net.HardwareAddr{2, 0, 0, 0, 0, 0x55}, vip)[:size], all); err != nil {
			t.Fatal(err)
		}
	}
	l.claim(t, vip, foreign, false)
	if c := l.next(t); c.MAC.String() != foreign.String() {
		t.Errorf("%+v, want the claim of a whole frame", c)
	}
}

func TestVIPsAreWatchedFromWhenTheyAreSet(t *testing.T) {
	l := newLab(t, map[string]netip.Addr{"client0": peer})
	l.knows(t, peer, peerMAC)
	added := netip.MustParseAddr("198.18.0.102")
	if err := l.watcher.SetVIPs([]dataplane.VIP{{Addr: added, Link: "client0"}}); err != nil {
		t.Fatal(err)
	}
	l.claim(t, vip, foreign, false)
	l.claim(t, added, foreign, false)
	if c := l.next(t); c.VIP != added {
		t.Errorf("reported %+v, want a claim of %v alone", c, added)
	}
}

// TestADeadPeersAddressIsRemembered: although the kernel forgets it, and a claim by another
// host is still foreign.
func TestADeadPeersAddressIsRemembered(t *testing.T) {
	l := newLab(t, map[string]netip.Addr{"client0": peer})
	l.knows(t, peer, peerMAC)
	l.claim(t, vip, peerMAC, false)
	l.claim(t, vip, foreign, false)
	l.next(t)
	netlab.In(t, l.node, func() error {
		link, err := netlink.LinkByName("client0")
		if err != nil {
			return err
		}
		return netlink.NeighDel(&netlink.Neigh{LinkIndex: link.Attrs().Index, IP: peer.AsSlice()})
	})
	l.claim(t, vip, foreign, false)
	if c := l.next(t); c.MaybePeer {
		t.Errorf("reported %+v", c)
	}
}

// TestWhereThePeerIsUnknownAClaimMayBeIts: on a link without an address of the peer.
func TestWhereThePeerIsUnknownAClaimMayBeIts(t *testing.T) {
	l := newLab(t, nil)
	l.claim(t, vip, foreign, false)
	if c := l.next(t); !c.MaybePeer {
		t.Errorf("reported %+v", c)
	}
	l.peerMay.Store(true)
	l.claim(t, vip, foreign, false)
	select {
	case c := <-l.claims:
		t.Errorf("what may be the peer's was reported while the peer may announce: %+v", c)
	case <-time.After(2 * Every): // a report comes after that at most
	}
}

// TestTheWatcherOutlivesItsLink: it receives again after the link was down.
func TestTheWatcherOutlivesItsLink(t *testing.T) {
	l := newLab(t, map[string]netip.Addr{"client0": peer})
	l.knows(t, peer, peerMAC)
	netlab.In(t, l.node, func() error { return netlab.Flap("client0") })
	l.knows(t, peer, peerMAC)
	for deadline := time.Now().Add(patience); len(l.claims) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is heard after the link was down")
		}
		l.claim(t, vip, foreign, false)
	}
}
