package linkmon

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"baton/impl/daemon/internal/netlab"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func TestWatch(t *testing.T) {
	here := netlab.Space(t)
	states := make(chan State, 256)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	in := func(f func() error) { t.Helper(); netlab.In(t, here, f) }
	var a, b *netlink.Veth
	in(func() error {
		a = netlink.NewVeth(netlink.NewLinkAttrs())
		a.Name, a.PeerName = "client0", "peer0"
		b = &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "peer0"}}
		return netlink.LinkAdd(a)
	})
	go func() {
		defer close(ended)
		_ = here.Do(func(ns.NetNS) error {
			Watch(ctx, []string{"client0"}, slog.New(slog.DiscardHandler), func(s State) { states <- s })
			return nil
		})
	}()
	wait := func(what string, want func(State) bool) {
		t.Helper()
		deadline := time.After(patience)
		for {
			select {
			case s := <-states:
				if s.Name != "client0" {
					t.Fatalf("a state of %s, which nobody asked for", s.Name)
				}
				if want(s) {
					return
				}
			case <-deadline:
				t.Fatalf("no report of %s within %v", what, patience)
			}
		}
	}
	up, down := func(s State) bool { return s.Up }, func(s State) bool { return !s.Up }
	wait("the link as it is at the start", down)
	in(func() error { return netlink.LinkSetUp(a) })
	in(func() error { return netlink.LinkSetUp(b) })
	wait("both ends up", up)
	in(func() error { return netlink.LinkSetDown(b) })
	wait("the carrier gone", down)
	in(func() error { return netlink.LinkSetUp(b) })
	wait("the carrier back", up)
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 7}
	in(func() error { return netlink.LinkSetHardwareAddr(a, mac) })
	wait("another hardware address", func(s State) bool { return s.MAC.String() == mac.String() })
	in(func() error { return netlink.LinkDel(a) })
	wait("the link deleted", down)
	cancel()
	<-ended
}
