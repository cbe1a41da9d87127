package netns

import (
	"fmt"
	"net"
	"net/netip"

	"baton/scenarios/plan"
)

// Role is what a namespace of the pair stands for.
type Role uint8

// The roles.
const (
	RoleLB Role = iota + 1
	RoleClient
	RoleBackend
	RoleSwitch
)

func (r Role) String() string {
	switch r {
	case RoleLB:
		return "lb"
	case RoleClient:
		return "client"
	case RoleBackend:
		return "backend"
	case RoleSwitch:
		return "switch"
	}
	return fmt.Sprintf("role%d", uint8(r))
}

// Interface names inside the namespaces.
const (
	ClientSide  = "client0"  // of a load balancer, on the switch "clients"
	BackendSide = "backend0" // of a load balancer, on the switch "backends"
	SyncSide    = "sync0"    // of a load balancer, on the cable to the other
	HostSide    = "eth0"     // of a client or backend
	Bridge      = "br0"      // of a switch; its ports are named after the hosts plugged in
)

// Interface is one network interface of a host, as built. All of it follows from
// the shape of the pair, so that two runs, and their captures, look alike.
type Interface struct {
	Host string
	Name string
	Link string // plan.LinkClients, plan.LinkBackends or plan.LinkSync
	MAC  net.HardwareAddr
	Addr netip.Prefix
	// PortIndex is the interface index of the switch port that it is plugged into,
	// named after the host in the namespace of the switch Link. 0 on the sync cable.
	PortIndex int
}

// Limits of a pair: host numbers end below the VIPs, which start at .100.
const (
	firstHost = 10 // client1 is .11
	maxHosts  = 100 - firstHost - 1
)

// Interface indexes that the builder chooses. They stay clear of those that the
// kernel counts up from 2 in each namespace: a veth whose index equals its
// peer's looks to the kernel like a device without a peer, and its carrier
// changes are then reported up to a second late.
const (
	bridgeIndex    = 100
	firstPortIndex = 101
	syncIndex      = 101
)

// linkGroup marks the links that the builder made, for deleting them together.
const linkGroup = 0xba70

// Subnets of the lab: 198.18.0.0/15 is set aside for benchmarking (RFC 2544).
var subnets = map[string]netip.Prefix{
	plan.LinkClients:  netip.MustParsePrefix("198.18.0.0/24"),
	plan.LinkBackends: netip.MustParsePrefix("198.18.1.0/24"),
	plan.LinkSync:     netip.MustParsePrefix("198.18.2.0/30"),
}

// backendGateway is the backend-side VIP: the load balancers' SNAT address in
// fullnat mode and, in dnat mode, the way by which replies must leave.
var backendGateway = netip.MustParseAddr("198.18.1.100")

// blueprint is a host that is to be built.
type blueprint struct {
	name       string
	role       Role
	interfaces []Interface
}

// layout lists the hosts of a pair in their order: switches, load balancers,
// clients, backends.
func layout(cfg PairConfig) []blueprint {
	ports := map[string]int{plan.LinkClients: firstPortIndex, plan.LinkBackends: firstPortIndex}
	plug := func(host, name, link string, role Role, n int) Interface {
		number := n
		if role != RoleLB {
			number += firstHost
		}
		i := Interface{Host: host, Name: name, Link: link, MAC: mac(link, role, n), Addr: address(link, number)}
		if port, ok := ports[link]; ok {
			i.PortIndex = port
			ports[link]++
		}
		return i
	}
	hosts := []blueprint{
		{name: plan.LinkClients, role: RoleSwitch},
		{name: plan.LinkBackends, role: RoleSwitch},
	}
	for n := 1; n <= 2; n++ {
		name := fmt.Sprintf("lb%d", n)
		hosts = append(hosts, blueprint{name, RoleLB, []Interface{
			plug(name, ClientSide, plan.LinkClients, RoleLB, n),
			plug(name, BackendSide, plan.LinkBackends, RoleLB, n),
			plug(name, SyncSide, plan.LinkSync, RoleLB, n),
		}})
	}
	for n := 1; n <= cfg.Clients; n++ {
		name := fmt.Sprintf("client%d", n)
		hosts = append(hosts, blueprint{name, RoleClient,
			[]Interface{plug(name, HostSide, plan.LinkClients, RoleClient, n)}})
	}
	for n := 1; n <= cfg.Backends; n++ {
		name := fmt.Sprintf("backend%d", n)
		hosts = append(hosts, blueprint{name, RoleBackend,
			[]Interface{plug(name, HostSide, plan.LinkBackends, RoleBackend, n)}})
	}
	return hosts
}

// mac is a locally administered address that names link, role and number, so
// that a captured frame tells its sender at sight: 02:ba:70:LINK:ROLE:NUMBER.
func mac(link string, role Role, n int) net.HardwareAddr {
	return net.HardwareAddr{0x02, 0xba, 0x70, linkNumber[link], byte(role), byte(n)}
}

var linkNumber = map[string]byte{plan.LinkClients: 0, plan.LinkBackends: 1, plan.LinkSync: 2}

// address is the number-th address of a link's subnet.
func address(link string, number int) netip.Prefix {
	subnet := subnets[link]
	b := subnet.Addr().As4()
	b[3] += byte(number)
	return netip.PrefixFrom(netip.AddrFrom4(b), subnet.Bits())
}
