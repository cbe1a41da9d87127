package netns

import (
	"net"
	"net/netip"

	"baton/scenarios/lab"
)

// Role is the kind of machine that a namespace represents.
type Role = lab.Kind

const (
	RoleLB      = lab.Node
	RoleClient  = lab.Client
	RoleBackend = lab.Backend
	RoleSwitch  = lab.Switch
)

// Interface names inside the namespaces.
const (
	ClientSide  = "client0"  // of a load balancer, on the switch "clients"
	BackendSide = "backend0" // of a load balancer, on the switch "backends"
	SyncSide    = "sync0"    // of a load balancer, on the cable to the other
	HostSide    = "eth0"     // of a client or backend
	Bridge      = "br0"      // of a switch; its ports are named after the hosts plugged in
)

// Interface is one network interface of a host, as built. Names, addresses and MACs follow
// from the topology alone, so that runs and captures are comparable.
type Interface struct {
	Host string
	Name string
	Link string // lab.Clients, lab.Backends or lab.Sync
	MAC  net.HardwareAddr
	Addr netip.Prefix
	// Addr6 is its IPv6 address; zero in a lab without IPv6.
	Addr6 netip.Prefix
	// PortIndex is the interface index of the switch port it is plugged into; the port is
	// named after the host. 0 on the sync cable.
	PortIndex int
}

// Addrs returns its addresses.
func (i Interface) Addrs() []netip.Prefix {
	if i.Addr6.IsValid() {
		return []netip.Prefix{i.Addr, i.Addr6}
	}
	return []netip.Prefix{i.Addr}
}

// AddrOf returns its address of a family.
func (i Interface) AddrOf(f lab.Family) netip.Addr {
	if f == lab.IPv6 {
		return i.Addr6.Addr()
	}
	return i.Addr.Addr()
}

// Interface indexes chosen by the builder. They must not collide with those that the kernel
// counts up from 2 in each namespace: the kernel treats a veth whose index equals its
// peer's as one without a peer, and reports its carrier changes up to a second late.
const (
	bridgeIndex    = 100
	firstPortIndex = 101
	syncIndex      = 101
)

// linkGroup marks the links that the builder made, to delete them in one request.
const linkGroup = 0xba70

// blueprint describes a host to be built.
type blueprint struct {
	name       string
	role       Role
	ipv6       bool // it has IPv6 addresses
	interfaces []Interface
}

// devices maps each link to the load balancer's interface on it. Other machines have one
// interface.
var devices = map[string]string{lab.Clients: ClientSide, lab.Backends: BackendSide, lab.Sync: SyncSide}

// layout lists the hosts in build order: switches, load balancers, clients, backends.
func layout(topo lab.Topo) []blueprint {
	hosts := []blueprint{
		{name: lab.Clients, role: RoleSwitch},
		{name: lab.Backends, role: RoleSwitch},
	}
	ports := map[string]int{lab.Clients: firstPortIndex, lab.Backends: firstPortIndex}
	for _, h := range topo.Hosts() {
		b := blueprint{name: h.Name, role: h.Kind, ipv6: topo.IPv6}
		for _, link := range h.Links() {
			i := Interface{Host: h.Name, Name: HostSide, Link: link, MAC: mac(link, h.Kind, h.Number), Addr: prefix(h, link, lab.IPv4)}
			if topo.IPv6 {
				i.Addr6 = prefix(h, link, lab.IPv6)
			}
			if h.Kind == RoleLB {
				i.Name = devices[link]
			}
			if port, ok := ports[link]; ok {
				i.PortIndex = port
				ports[link]++
			}
			b.interfaces = append(b.interfaces, i)
		}
		if topo.Direct && h.Kind == RoleBackend {
			b.interfaces = append(b.interfaces, directLeg(topo, h, ports[lab.Clients]))
			ports[lab.Clients]++
		}
		hosts = append(hosts, b)
	}
	return hosts
}

// prefix returns a machine's address on a link, with the link's prefix length.
func prefix(h lab.Host, link string, f lab.Family) netip.Prefix {
	return netip.PrefixFrom(h.Addr(link, f), f.Subnet(link).Bits())
}

// mac returns a locally administered address that encodes link, role and number, so that
// captures show the sender: 02:ba:70:LINK:ROLE:NUMBER.
func mac(link string, role Role, n int) net.HardwareAddr {
	return net.HardwareAddr{0x02, 0xba, 0x70, linkNumber[link], byte(role), byte(n)}
}

var linkNumber = map[string]byte{lab.Clients: 0, lab.Backends: 1, lab.Sync: 2}
