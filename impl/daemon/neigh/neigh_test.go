package neigh

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"

	"baton/impl/daemon/internal/netlab"
	"baton/impl/flow"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// lab is a node's namespace with a client link and a backend link into one other
// namespace, whose addresses answer ARP.
type lab struct{ node, world ns.NetNS }

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{netlab.Space(t), netlab.Space(t)}
	netlab.In(t, l.node, func() error {
		for _, link := range []struct{ name, peer, addr, peerAddr string }{
			{"client0", "eth0", "198.18.0.1/24", "198.18.0.11/24"},
			{"backend0", "eth1", "198.18.1.1/24", "198.18.1.11/24"},
		} {
			if err := netlab.Cable(link.name, link.peer, l.world); err != nil {
				return err
			}
			if err := netlab.Up(link.name, link.addr); err != nil {
				return err
			}
			if err := l.world.Do(func(ns.NetNS) error { return netlab.Up(link.peer, link.peerAddr) }); err != nil {
				return err
			}
		}
		return nil
	})
	return l
}

// keeper starts a keeper in the node's namespace.
func (l *lab) keeper(t *testing.T, cfg Config) *Keeper {
	t.Helper()
	cfg.ClientLink, cfg.BackendLink, cfg.Log = "client0", "backend0", slog.New(slog.DiscardHandler)
	var k *Keeper
	netlab.In(t, l.node, func() (err error) { k, err = New(cfg); return err })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); k.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended; k.Close() })
	return k
}

// entries returns the neighbour entries of the node.
func (l *lab) entries(t *testing.T) map[string]netlink.Neigh {
	t.Helper()
	entries := map[string]netlink.Neigh{}
	netlab.In(t, l.node, func() error {
		for _, name := range []string{"client0", "backend0"} {
			iface, err := net.InterfaceByName(name)
			if err != nil {
				return err
			}
			list, err := netlink.NeighList(iface.Index, netlink.FAMILY_V4)
			if err != nil {
				return err
			}
			for _, n := range list {
				entries[n.IP.String()] = n
			}
		}
		return nil
	})
	return entries
}

// waitState waits until an entry is in one of the states.
func (l *lab) waitState(t *testing.T, addr string, states int) {
	t.Helper()
	var last netlink.Neigh
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if last = l.entries(t)[addr]; last.State&states != 0 {
			return
		}
	}
	t.Fatalf("entry of %s is in state %#x, want one of %#x within %v", addr, last.State, states, patience)
}

func TestBackendsAreResolvedBeforeAnybodySends(t *testing.T) {
	l := newLab(t)
	l.keeper(t, Config{Backends: []netip.Addr{netip.MustParseAddr("198.18.1.11")}})
	l.waitState(t, "198.18.1.11", netlink.NUD_REACHABLE)
}

func TestClientsOnTheLinkAreResolvedWhenNoted(t *testing.T) {
	l := newLab(t)
	k := l.keeper(t, Config{})
	deadline := time.Now().Add(patience)
	for k.observer.networks.Load() == nil && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	k.Note(flow.IPv4(203, 0, 113, 7)) // behind a router: not resolved
	k.Note(flow.IPv4(198, 18, 0, 11))
	l.waitState(t, "198.18.0.11", netlink.NUD_REACHABLE)
	if n, ok := l.entries(t)["203.0.113.7"]; ok {
		t.Errorf("an entry for a client that is not on the link: %v", n)
	}
}

func TestRoutersAreResolved(t *testing.T) {
	l := newLab(t)
	netlab.In(t, l.node, func() error {
		_, dst, _ := net.ParseCIDR("203.0.113.0/24")
		return netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: net.IPv4(198, 18, 0, 11)})
	})
	l.keeper(t, Config{})
	l.waitState(t, "198.18.0.11", netlink.NUD_REACHABLE)
}

func TestAStaleEntryIsConfirmed(t *testing.T) {
	l := newLab(t)
	l.keeper(t, Config{Backends: []netip.Addr{netip.MustParseAddr("198.18.1.11")}, Every: 50 * time.Millisecond})
	l.waitState(t, "198.18.1.11", netlink.NUD_REACHABLE)
	stale := l.entries(t)["198.18.1.11"]
	netlab.In(t, l.node, func() error {
		stale.State = netlink.NUD_STALE
		return netlink.NeighSet(&stale)
	})
	l.waitState(t, "198.18.1.11", netlink.NUD_DELAY|netlink.NUD_PROBE|netlink.NUD_REACHABLE)
}

func TestAFailedBackendIsTriedAgain(t *testing.T) {
	l := newLab(t)
	l.keeper(t, Config{Backends: []netip.Addr{netip.MustParseAddr("198.18.1.12")}, Every: 50 * time.Millisecond})
	l.waitState(t, "198.18.1.12", netlink.NUD_FAILED|netlink.NUD_INCOMPLETE)
	netlab.In(t, l.world, func() error { return netlab.Up("eth1", "198.18.1.12/24") })
	l.waitState(t, "198.18.1.12", netlink.NUD_REACHABLE)
}

func TestAfterALinkWasDownEntriesComeBackAtOnce(t *testing.T) {
	l := newLab(t)
	k := l.keeper(t, Config{Backends: []netip.Addr{netip.MustParseAddr("198.18.1.11")}, Every: time.Hour})
	l.waitState(t, "198.18.1.11", netlink.NUD_REACHABLE)
	netlab.In(t, l.node, func() error { return netlab.Flap("backend0") })
	if n, ok := l.entries(t)["198.18.1.11"]; ok && n.State == netlink.NUD_REACHABLE {
		t.Fatalf("the entry survived its link: %v", n)
	}
	k.Refresh()
	l.waitState(t, "198.18.1.11", netlink.NUD_REACHABLE)
}

// TestALinkThatComesBackInTheMiddleOfARound: targets refreshed before it went down are
// refreshed again at once.
func TestALinkThatComesBackInTheMiddleOfARound(t *testing.T) {
	l := newLab(t)
	backends := []netip.Addr{netip.MustParseAddr("198.18.1.11")}
	for i := range 200 {
		backends = append(backends, netip.AddrFrom4([4]byte{198, 18, 1, byte(20 + i)}))
	}
	k := l.keeper(t, Config{Backends: backends, Every: time.Hour, Rate: 20}) // a round takes ten seconds
	l.waitState(t, "198.18.1.11", netlink.NUD_REACHABLE)
	netlab.In(t, l.node, func() error { return netlab.Flap("backend0") })
	k.Refresh()
	l.waitState(t, "198.18.1.11", netlink.NUD_REACHABLE)
}

// TestAClientThatIsGoneIsForgotten pins that rounds skip a silent client for longer and
// longer and then drop it, and that a backend is never dropped.
func TestAClientThatIsGoneIsForgotten(t *testing.T) {
	gone := netip.MustParseAddr("198.18.0.99")
	k := &Keeper{client: 1, backend: 2, clients: map[netip.Addr]*health{gone: {}},
		cfg: Config{Log: slog.New(slog.DiscardHandler)}}
	k.SetBackends([]netip.Addr{netip.MustParseAddr("198.18.1.11")})
	states := map[target]int{{1, gone}: netlink.NUD_FAILED}
	attempts, rounds := 0, 0
	for ; len(k.clients) > 0 && rounds < 1000; rounds++ {
		due := k.due(states)
		if due[0] != (target{2, netip.MustParseAddr("198.18.1.11")}) {
			t.Fatalf("round %d: the backend is not due: %v", rounds, due)
		}
		attempts += len(due) - 1
	}
	if attempts != forgetAfter || rounds != 1<<forgetAfter {
		t.Errorf("forgotten after %d attempts in %d rounds, want %d in %d", attempts, rounds, forgetAfter, 1<<forgetAfter)
	}
}

func TestNoteCostsNothingForAClientThatIsKnown(t *testing.T) {
	k := &Keeper{noted: make(chan flow.Addr, 16), observer: observer{seen: map[flow.Addr]struct{}{}}}
	k.observer.publish([]netip.Prefix{netip.MustParsePrefix("198.18.0.0/24")})
	for range 100 {
		k.Note(flow.IPv4(198, 18, 0, 11))
		k.Note(flow.IPv4(198, 18, 1, 11))
	}
	if n := len(k.noted); n != 1 {
		t.Errorf("%d clients were handed over, want 1", n)
	}
	if allocs := testing.AllocsPerRun(100, func() { k.Note(flow.IPv4(198, 18, 0, 11)) }); allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
	for i := range 100 { // nobody takes them
		k.Note(flow.IPv4(198, 18, 0, byte(i)))
	}
	k.observer.publish([]netip.Prefix{netip.MustParsePrefix("198.18.0.0/24")})
	<-k.noted
	before := len(k.noted)
	k.Note(flow.IPv4(198, 18, 0, 11))
	if len(k.noted) != before+1 {
		t.Error("after another round a known client was not handed over again")
	}
}
