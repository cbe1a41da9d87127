// Package testlab builds throwaway networks for tests: unnamed network namespaces joined by
// veth pairs and bridges. Only a descriptor holds a namespace, so that a crashed test
// leaves nothing behind. It is independent of the product's topology.
package testlab

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// SkipReason says why tests that need namespaces cannot run here, or "".
func SkipReason() string {
	if os.Geteuid() != 0 {
		return "needs root to make network namespaces"
	}
	return ""
}

// Host is a network namespace with a name.
type Host struct {
	name  string
	netns ns.NetNS
	Link  *netlink.Handle
}

// NewHost makes an unnamed namespace with loopback up. cleanup receives the function that
// removes it (ginkgo.DeferCleanup).
func NewHost(name string, cleanup func(args ...any)) *Host {
	made := make(chan ns.NetNS, 1)
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			failed <- fmt.Errorf("testlab: unshare network namespace: %w", err)
			return
		}
		n, err := ns.GetCurrentNS()
		if err != nil {
			failed <- err
			return
		}
		made <- n
	}()
	h := &Host{name: name}
	select {
	case h.netns = <-made:
	case err := <-failed:
		Expect(err).NotTo(HaveOccurred())
	}
	handle, err := netlink.NewHandleAt(netns.NsHandle(int(h.netns.Fd())))
	Expect(err).NotTo(HaveOccurred())
	h.Link = handle
	cleanup(func() {
		handle.Close()
		Expect(h.netns.Close()).To(Succeed())
	})
	h.SetUp("lo")
	return h
}

// Name returns the host's name.
func (h *Host) Name() string { return h.name }

// Do runs f on a thread inside the namespace.
func (h *Host) Do(f func() error) error { return h.netns.Do(func(ns.NetNS) error { return f() }) }

// SetUp sets an interface up.
func (h *Host) SetUp(iface string) { Expect(h.Link.LinkSetUp(h.Interface(iface))).To(Succeed()) }

// SetDown sets an interface down.
func (h *Host) SetDown(iface string) { Expect(h.Link.LinkSetDown(h.Interface(iface))).To(Succeed()) }

// Interface returns an interface.
func (h *Host) Interface(name string) netlink.Link {
	link, err := h.Link.LinkByName(name)
	Expect(err).NotTo(HaveOccurred(), "interface %s of %s", name, h.name)
	return link
}

// MAC returns the hardware address of an interface.
func (h *Host) MAC(iface string) string { return h.Interface(iface).Attrs().HardwareAddr.String() }

// Address adds an address such as 198.18.0.11/24 to an interface.
func (h *Host) Address(iface, cidr string) {
	addr, err := netlink.ParseAddr(cidr)
	Expect(err).NotTo(HaveOccurred())
	Expect(h.Link.AddrAdd(h.Interface(iface), addr)).To(Succeed())
}

// Reach waits until the host reaches an address: the ports of the switch forward, and the
// neighbours are resolved. Nothing may listen on the address's TCP port 9.
func (h *Host) Reach(addr string) {
	Eventually(func() error {
		return h.Do(func() error {
			conn, err := net.DialTimeout("tcp4", net.JoinHostPort(addr, "9"), time.Second)
			if err == nil {
				conn.Close()
			}
			return err
		})
	}).Within(10*time.Second).Should(MatchError(unix.ECONNREFUSED), "%s reaches %s", h.name, addr)
}

// Route routes a destination (in CIDR form) through a gateway, replacing an earlier route.
func (h *Host) Route(to, via string) {
	_, dst, err := net.ParseCIDR(to)
	Expect(err).NotTo(HaveOccurred())
	Expect(h.Link.RouteReplace(&netlink.Route{Dst: dst, Gw: net.ParseIP(via)})).To(Succeed())
}

// Sysctl sets a sysctl of the namespace, named by its path below /proc/sys.
func (h *Host) Sysctl(path, value string) {
	Expect(h.Do(func() error { return os.WriteFile("/proc/sys/"+path, []byte(value), 0) })).To(Succeed())
}

// Bridge makes a bridge in the namespace.
func (h *Host) Bridge(name string) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	Expect(h.Link.LinkAdd(&netlink.Bridge{LinkAttrs: attrs})).To(Succeed())
	h.SetUp(name)
}

// Hub makes a bridge forget its MAC table, so that it floods every frame.
func (h *Host) Hub(bridge string) {
	never := uint32(0)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = bridge
	Expect(h.Link.LinkModify(&netlink.Bridge{LinkAttrs: attrs, AgeingTime: &never})).To(Succeed())
}

// Plug connects an interface of this host, with the given addresses, to a port of the
// bridge on sw. The port is named after the host.
func (h *Host) Plug(iface string, sw *Host, bridge string, cidrs ...string) {
	port := h.name
	attrs := netlink.NewLinkAttrs()
	attrs.Name = iface
	Expect(h.Link.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: port,
		PeerNamespace: netlink.NsFd(int(sw.netns.Fd()))})).To(Succeed())
	Expect(sw.Link.LinkSetMaster(sw.Interface(port), sw.Interface(bridge))).To(Succeed())
	sw.SetUp(port)
	h.SetUp(iface)
	for _, cidr := range cidrs {
		h.Address(iface, cidr)
	}
}
