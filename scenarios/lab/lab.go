// Package lab holds the facts of the network that every scenario runs in: two load
// balancers with their clients and backends, their names, links and addresses, and
// which direction of which link a cut or an impairment resolves to.
//
// It builds nothing and does no IO. The language, both worlds and the checks read
// it, so that a host or a selector means the same to all of them.
package lab

import "slices"

// Links of a pair. Those of the clients and the backends are switches, Sync is a cable.
const (
	Clients  = "clients"
	Backends = "backends"
	Sync     = "sync"
)

// Links lists the links.
func Links() []string { return []string{Clients, Backends, Sync} }

// Nodes lists the load balancers.
func Nodes() []string { return []string{"lb1", "lb2"} }

// IsNode reports whether a name is that of a load balancer.
func IsNode(name string) bool { return slices.Contains(Nodes(), name) }

// Peer is the other load balancer.
func Peer(node string) string {
	nodes := Nodes()
	if node == nodes[0] {
		return nodes[1]
	}
	return nodes[0]
}

// Topo is the size of a lab.
type Topo struct {
	Clients, Backends int
	// IPv6 gives the machines IPv6 addresses besides their IPv4 ones.
	IPv6 bool
}

// Families lists the families that the machines have addresses of.
func (t Topo) Families() []Family {
	if t.IPv6 {
		return []Family{IPv4, IPv6}
	}
	return []Family{IPv4}
}

// MaxHosts is how many clients, or backends, a lab has at most: their addresses end
// below those of the VIPs.
const MaxHosts = firstVIP - firstHost - 1

// Kind is what a machine of the lab stands for.
type Kind uint8

// The kinds. Their numbers are part of the MAC addresses.
const (
	Node Kind = iota + 1
	Client
	Backend
	Switch
)

func (k Kind) String() string { return [...]string{"", "lb", "client", "backend", "switch"}[k] }

// Noun is the kind as a sentence says it.
func (k Kind) Noun() string {
	if k == Node {
		return "load balancer"
	}
	return k.String()
}

// Host is a machine of the lab that is no switch.
type Host struct {
	Name   string
	Kind   Kind
	Number int // 1 for lb1, client1 and backend1
}

// Hosts lists the machines in their order: load balancers, clients, backends.
func (t Topo) Hosts() []Host {
	hosts := make([]Host, 0, len(Nodes())+t.Clients+t.Backends)
	for _, group := range []struct {
		kind  Kind
		count int
	}{{Node, len(Nodes())}, {Client, t.Clients}, {Backend, t.Backends}} {
		for n := 1; n <= group.count; n++ {
			hosts = append(hosts, Host{Name: Name(group.kind, n), Kind: group.kind, Number: n})
		}
	}
	return hosts
}

// Host finds a machine by its name.
func (t Topo) Host(name string) (Host, bool) {
	hosts := t.Hosts()
	i := slices.IndexFunc(hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, false
	}
	return hosts[i], true
}

// Members resolves the name of a machine or of a group, clients or backends; none if
// there is no such name.
func (t Topo) Members(name string) []Host {
	var found []Host
	for _, h := range t.Hosts() {
		if h.Name == name || name == Clients && h.Kind == Client || name == Backends && h.Kind == Backend {
			found = append(found, h)
		}
	}
	return found
}

// Links lists the links on which the machine has an interface.
func (h Host) Links() []string {
	switch h.Kind {
	case Client:
		return []string{Clients}
	case Backend:
		return []string{Backends}
	}
	return Links()
}

// On reports whether the machine has an interface on a link.
func (h Host) On(link string) bool { return slices.Contains(h.Links(), link) }
