package bpf

import (
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// needRoot skips a test that loads programs if the machine does not permit that. If the machine
// should permit it, the test fails instead.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: loads eBPF programs and makes network namespaces")
	}
}

func newNamespace(t testing.TB) ns.NetNS {
	t.Helper()
	n, err := ns.TempNetNS()
	if err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	t.Cleanup(func() { n.Close() })
	inside(t, n, func() error {
		// The kernel solicits a backend from the link-local address, and not at all before it
		// has made sure that the address is its own: after three seconds the packets are lost.
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644); err != nil {
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	return n
}

// inside runs f on a thread in the namespace.
func inside(t testing.TB, n ns.NetNS, f func() error) {
	t.Helper()
	if err := n.Do(func(ns.NetNS) error { return f() }); err != nil {
		t.Fatal(err)
	}
}

// wire joins two namespaces by a veth pair with an address on each end.
func wire(t testing.TB, a ns.NetNS, aName, aAddr string, b ns.NetNS, bName, bAddr string) {
	t.Helper()
	inside(t, a, func() error {
		err := netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: aName}, PeerName: bName, PeerNamespace: netlink.NsFd(b.Fd()),
		})
		if err != nil {
			return fmt.Errorf("add veth %s: %w", aName, err)
		}
		return raise(aName, aAddr)
	})
	inside(t, b, func() error { return raise(bName, bAddr) })
}

func raise(name, addr string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(addr)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(l, a); err != nil {
		return fmt.Errorf("add %s to %s: %w", addr, name, err)
	}
	return netlink.LinkSetUp(l)
}

// noChecksumOffload makes the kernel complete checksums and segment packets that leave by a
// link. A veth otherwise passes partial checksums on, right or wrong.
func noChecksumOffload(link string) error { return setFeature(link, "tx-checksum-ip-generic", false) }

// receiveRedirected makes this end of a veth accept packets that XDP redirects to its peer.
func receiveRedirected(link string) error { return setFeature(link, "rx-gro", true) }

// setFeature sets a feature of a link, as ethtool -k names it.
func setFeature(link, feature string, on bool) error {
	tool, err := ethtool.NewEthtool()
	if err != nil {
		return err
	}
	defer tool.Close()
	return tool.Change(link, map[string]bool{feature: on})
}

func defaultRoute(gateway string) error {
	return netlink.RouteAdd(&netlink.Route{Gw: address(gateway).Netip().AsSlice()})
}

// inIPv6 says that the lab uses IPv6 addresses; see overIPv6.
var inIPv6 bool

// overIPv6 runs a test that is written for IPv4 over IPv6. Tests do not run in parallel.
func overIPv6(t testing.TB) {
	inIPv6 = true
	t.Cleanup(func() { inIPv6 = false })
}

// inHook is where the programs of the lab are; see overXDP.
var inHook dataplane.Hook

// overXDP runs a test that is written for TCX with the XDP programs before those.
func overXDP(t testing.TB) {
	inHook = dataplane.HookXDP
	t.Cleanup(func() { inHook = dataplane.HookTCX })
}

// inAcross says that the backends of mode dsr-ipip are of the other family than their VIP; see
// acrossFamilies.
var inAcross bool

// acrossFamilies runs a test with backends of the other family, where these are possible.
func acrossFamilies(t testing.TB) {
	inAcross = true
	t.Cleanup(func() { inAcross = false })
}

// otherFamily returns the address of the other family with the same last bytes.
func otherFamily(a flow.Addr) flow.Addr {
	if a.Is4() {
		copy(a[:], labPrefix[:])
		return a
	}
	return flow.IPv4From([4]byte(a[12:]))
}

// tunnelAddress is address for hosts that only encapsulated packets reach.
func tunnelAddress(s string) flow.Addr {
	if inAcross {
		return otherFamily(address(s))
	}
	return address(s)
}

// labPrefix begins the IPv6 addresses of the lab.
var labPrefix = [12]byte{0x20, 0x01, 0, 2}

// specials are addresses with a special meaning, which their IPv6 form must keep.
var specials = map[string]string{"127.0.0.1": "::1", "0.1.2.3": "::", "224.0.0.1": "ff02::1", "255.255.255.255": "fe80::1"}

// address returns an address of the lab, over IPv6 one with the same last bytes.
func address(s string) flow.Addr {
	a := flow.AddrFrom(netip.MustParseAddr(s))
	if !inIPv6 || !a.Is4() {
		return a
	}
	if special, ok := specials[s]; ok {
		return flow.AddrFrom(netip.MustParseAddr(special))
	}
	copy(a[:], labPrefix[:])
	return a
}

// The lab's addresses.
const (
	vipAddr     = "198.18.0.100"
	snatAddr    = "198.18.1.100"
	clientAddr  = "198.18.0.11"
	backendAddr = "198.18.1.11"
)

// labConfig is a configuration with the given services on the VIP.
func labConfig(services ...dataplane.Service) dataplane.Config {
	return dataplane.Config{
		ClientLink: "client0", BackendLink: "backend0",
		VIPs: []dataplane.VIP{
			{Addr: address(vipAddr).Netip(), Link: "client0"},
			{Addr: address(snatAddr).Netip(), Link: "backend0"},
		},
		Services:  services,
		SNATPorts: dataplane.PortRange{First: 20000, Last: 39999},
		Timeouts:  dataplane.DefaultTimeouts(),
		MaxFlows:  1 << 12, // a large table takes time to make and to free
	}
}

// labService balances the VIP's port over backend ports of the lab's backend.
func labService(proto flow.Proto, port uint16, mode dataplane.Mode, balance dataplane.Balance, backends ...uint16) dataplane.Service {
	s := dataplane.Service{
		Service: flow.Service{VIP: address(vipAddr), Port: port, Proto: proto},
		Name:    fmt.Sprintf("%s-%d", proto, port), Mode: mode, Balance: balance, SNAT: address(snatAddr),
	}
	for _, p := range backends {
		s.Backends = append(s.Backends, dataplane.Backend{Addr: address(backendAddr), Port: p})
	}
	return s
}
