package linkmon

import (
	"context"
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
			Watch(ctx, []string{"client0"}, func(error) {}, func(s State) { states <- s })
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
	index := 0
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
	in(func() error { return netlink.LinkAdd(bridge) })
	in(func() error { return netlink.LinkSetMaster(a, bridge) })
	in(func() error { return netlink.LinkSetNoMaster(a) })
	last := net.HardwareAddr{2, 0, 0, 0, 0, 8}
	in(func() error { return netlink.LinkSetHardwareAddr(a, last) }) // whose report comes after theirs
	wait("the last hardware address", func(s State) bool {
		if index = s.Index; !s.Up {
			t.Error("a link that left a bridge was reported down")
		}
		return s.MAC.String() == last.String()
	})
	in(func() error { return netlink.LinkDel(a) })
	wait("the link deleted", func(s State) bool { return !s.Up && s.Gone && s.Index == index })
	in(func() error {
		again := netlink.NewVeth(netlink.NewLinkAttrs())
		again.Name, again.PeerName = "client0", "peer0"
		return netlink.LinkAdd(again)
	})
	wait("the link made again", func(s State) bool { return !s.Gone && s.Index != index })
	cancel()
	<-ended
}

// TestABrokenSubscriptionIsRenewed: while the reports are not read, the kernel has more
// updates than the socket can hold and breaks the subscription. The final state of the link
// is still reported.
func TestABrokenSubscriptionIsRenewed(t *testing.T) {
	here := netlab.Space(t)
	var link, noise netlink.Link
	netlab.In(t, here, func() (err error) {
		for _, name := range []string{"client0", "noise0"} {
			attrs := netlink.NewLinkAttrs()
			attrs.Name = name
			if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
				return err
			}
		}
		if link, err = netlink.LinkByName("client0"); err == nil {
			noise, err = netlink.LinkByName("noise0")
		}
		return err
	})
	broke := make(chan error, 16)
	states, hold := make(chan State), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = here.Do(func(ns.NetNS) error {
			Watch(ctx, []string{"client0"}, func(err error) { broke <- err }, func(s State) {
				<-hold
				select {
				case states <- s:
				case <-ctx.Done():
				}
			})
			return nil
		})
	}()
	defer func() { cancel(); <-ended }()
	netlab.In(t, here, func() error { // 64 MiB and more, where a socket holds less than one
		for i := range 20000 {
			if err := netlink.LinkSetMTU(noise, 1000+i%2); err != nil {
				return err
			}
		}
		return nil
	})
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 7}
	netlab.In(t, here, func() error { return netlink.LinkSetHardwareAddr(link, mac) })
	close(hold)
	for deadline := time.After(patience); ; {
		select {
		case s := <-states:
			if s.MAC.String() != mac.String() {
				continue
			}
			if len(broke) == 0 {
				t.Error("the subscription did not break: the test shows nothing")
			}
			return
		case <-deadline:
			t.Fatalf("the hardware address is not reported within %v, after %d breaks", patience, len(broke))
		}
	}
}
