package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/bpf/decap"
	"baton/scenarios/lab"
)

// Backends of direct-return services: each has the VIPs on lo, does not answer ARP for them, and
// has a second interface on the clients' switch. Packets from a VIP leave by that interface, all
// others by the load balancers, as in a lab without such services.

// DirectSide is a backend's interface on the switch "clients".
const DirectSide = "eth1"

// directTable is the routing table of packets from the VIPs.
const directTable = 100

// directLeg is the interface of a backend on the clients' switch. It has the backend's own address,
// so that ARP requests do not name the VIP as their sender.
func directLeg(topo lab.Topo, h lab.Host, port int) Interface {
	single := func(f lab.Family) netip.Prefix {
		addr := h.Addr(lab.Backends, f)
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	i := Interface{Host: h.Name, Name: DirectSide, Link: lab.Clients, MAC: mac(lab.Clients, h.Kind, h.Number), Addr: single(lab.IPv4), PortIndex: port}
	if topo.IPv6 {
		i.Addr6 = single(lab.IPv6)
	}
	return i
}

// routeDirectly adds the routes by which packets from the VIPs reach the clients.
func (h *Host) routeDirectly(i Interface) error {
	link, err := h.links.LinkByName(i.Name)
	if err != nil {
		return fmt.Errorf("find %s/%s: %w", h.name, i.Name, err)
	}
	for _, addr := range i.Addrs() {
		to := lab.FamilyOf(addr.Addr()).Subnet(lab.Clients)
		dst := &net.IPNet{IP: to.Addr().AsSlice(), Mask: net.CIDRMask(to.Bits(), to.Addr().BitLen())}
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: dst, Table: directTable, Scope: netlink.SCOPE_LINK}
		if err := h.links.RouteReplace(route); err != nil {
			return fmt.Errorf("add route to %s by %s/%s: %w", to, h.name, i.Name, err)
		}
	}
	return nil
}

// takeVIPs adds the VIPs of direct-return services to lo of each backend: those of services that send their packets
// bare, and of those that encapsulate them. A VIP of the latter alone is accepted only in an outer header.
func (p *Pair) takeVIPs(bare, tunnelled []netip.Addr) error {
	vips := slices.Concat(bare, tunnelled)
	if len(vips) == 0 {
		return nil
	}
	for _, name := range p.Names(RoleBackend) {
		if err := errors.Join(p.Host(name).takeVIPs(vips), p.Host(name).decapsulate(tunnelled, bare)); err != nil {
			return fmt.Errorf("netns: give %s the VIPs: %w", name, err)
		}
	}
	return nil
}

func (h *Host) takeVIPs(vips []netip.Addr) error {
	if err := h.Do(hideVIPs); err != nil {
		return err
	}
	lo, err := h.links.LinkByName("lo")
	if err != nil {
		return err
	}
	for _, vip := range slices.Compact(slices.SortedFunc(slices.Values(vips), netip.Addr.Compare)) {
		single := netip.PrefixFrom(vip, vip.BitLen())
		addr, err := addressOf(single)
		if err != nil {
			return err
		}
		if err := h.links.AddrReplace(lo, addr); err != nil {
			return fmt.Errorf("add %s to lo: %w", vip, err)
		}
		rule := netlink.NewRule()
		rule.Table, rule.Src, rule.Family = directTable, addr.IPNet, unix.AF_INET
		if vip.Is6() {
			rule.Family = unix.AF_INET6
		}
		if err := h.links.RuleAdd(rule); err != nil {
			return fmt.Errorf("add routing rule for %s: %w", vip, err)
		}
	}
	return nil
}

// decapsulate strips the outer headers of packets that arrive on the backends' switch for the
// backend's own addresses.
func (h *Host) decapsulate(tunnelled, bare []netip.Addr) error {
	i, ok := h.Interface(lab.Backends)
	if !ok || len(tunnelled) == 0 {
		return nil
	}
	device, err := h.links.LinkByName(i.Name)
	if err != nil {
		return fmt.Errorf("find %s/%s: %w", h.name, i.Name, err)
	}
	var own []netip.Addr
	for _, addr := range i.Addrs() {
		own = append(own, addr.Addr())
	}
	only := slices.DeleteFunc(slices.Clone(tunnelled), func(a netip.Addr) bool { return slices.Contains(bare, a) })
	return h.Do(func() error {
		attached, err := decap.Attach(device.Attrs().Index, own, only)
		if err == nil {
			h.tunnel = attached
		}
		return err
	})
}

// hideVIPs keeps a backend from answering ARP for addresses of other interfaces and from using
// them as the sender address of its own requests.
func hideVIPs() error {
	for name, value := range map[string]string{"arp_ignore": "1", "arp_announce": "2"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/all/"+name, []byte(value), 0); err != nil {
			return fmt.Errorf("write sysctl: %w", err)
		}
	}
	return nil
}
