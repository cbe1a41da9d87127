// Package netlab provides network namespaces for the tests of the daemon's packages:
// unnamed ones that end with the test, joined by veth pairs.
package netlab

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Space returns a new namespace, or skips the test if it may not make one.
func Space(t testing.TB) ns.NetNS {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces")
	}
	space, err := ns.TempNetNS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { space.Close() })
	return space
}

// In runs f on a thread inside a namespace; an error ends the test.
func In(t testing.TB, space ns.NetNS, f func() error) {
	t.Helper()
	if err := space.Do(func(ns.NetNS) error { return f() }); err != nil {
		t.Fatal(err)
	}
}

// Cable joins the calling thread's namespace to another by a veth with the ends name and
// peer. Both ends are down.
func Cable(name, peer string, other ns.NetNS) error {
	veth := netlink.NewVeth(netlink.NewLinkAttrs())
	veth.Name, veth.PeerName, veth.PeerNamespace = name, peer, netlink.NsFd(other.Fd())
	return netlink.LinkAdd(veth)
}

// Up sets a link of the calling thread's namespace up, with addresses.
func Up(link string, addresses ...string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	for _, text := range addresses {
		addr, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		addr.Flags |= unix.IFA_F_NODAD // a tentative address cannot be used as source
		if err := netlink.AddrAdd(l, addr); err != nil {
			return fmt.Errorf("%s on %s: %w", text, link, err)
		}
	}
	return netlink.LinkSetUp(l)
}

// Flap takes a link of the calling thread's namespace down and up again.
func Flap(link string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetDown(l); err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// upLimit bounds how long a link may take to come up.
const upLimit = 10 * time.Second

// WaitUp waits until a link of the calling thread's namespace can send. After the carrier
// is up, the kernel still drops packets for a while, for up to a second on a busy machine.
func WaitUp(link string) error {
	limit := time.After(upLimit)
	for {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		if l.Attrs().OperState == netlink.OperUp {
			return nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-limit:
			return fmt.Errorf("%s did not come up within %v", link, upLimit)
		}
	}
}
