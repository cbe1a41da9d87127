// Package lab describes the network of every scenario: two load balancers with their clients
// and backends, their names, links and addresses, and the directions that a selector names.
//
// It builds nothing and does no IO. The language, both worlds and the checks use it, so that a
// host or a selector means the same to all of them.
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

// IsNode reports whether a name is of a load balancer.
func IsNode(name string) bool { return slices.Contains(Nodes(), name) }

// Peer is the other load balancer.
func Peer(node string) string {
	nodes := Nodes()
	if node == nodes[0] {
		return nodes[1]
	}
	return nodes[0]
}

// Topo is the size of a lab, and its families.
type Topo struct {
	Clients, Backends int
	// IPv6 gives the machines IPv6 addresses besides their IPv4 ones.
	IPv6 bool
	// Direct gives the backends an interface on the clients' link, so that they can answer clients
	// directly.
	Direct bool
}

// Families lists the families of the machines' addresses.
func (t Topo) Families() []Family {
	if t.IPv6 {
		return []Family{IPv4, IPv6}
	}
	return []Family{IPv4}
}

// MaxHosts is the largest number of clients, and of backends: their addresses end below the VIPs.
const MaxHosts = firstVIP - firstHost - 1

// Kind is the kind of a machine.
type Kind uint8

// The kinds. Their numbers are part of the MAC addresses.
const (
	Node Kind = iota + 1
	Client
	Backend
	Switch
)

func (k Kind) String() string { return [...]string{"", "lb", "client", "backend", "switch"}[k] }

// Noun is the kind for messages.
func (k Kind) Noun() string {
	if k == Node {
		return "load balancer"
	}
	return k.String()
}

// Host is a machine of the lab that is not a switch.
type Host struct {
	Name   string
	Kind   Kind
	Number int // 1 for lb1, client1 and backend1
}

// Hosts lists the machines in their order: load balancers, clients, backends.
func (t Topo) Hosts() []Host {
	return slices.Concat(t.all(Node), t.all(Client), t.all(Backend))
}

// Host finds a machine by its name.
func (t Topo) Host(name string) (Host, bool) {
	kind, number, ok := ParseName(name)
	if !ok || number > t.count(kind) {
		return Host{}, false
	}
	return Host{Name: name, Kind: kind, Number: number}, true
}

// count is the number of machines of a kind.
func (t Topo) count(kind Kind) int {
	switch kind {
	case Node:
		return len(Nodes())
	case Client:
		return t.Clients
	case Backend:
		return t.Backends
	}
	return 0
}

// Members resolves the name of a machine or of a group, clients or backends; none if
// there is no such name.
func (t Topo) Members(name string) []Host {
	switch name {
	case Clients:
		return t.all(Client)
	case Backends:
		return t.all(Backend)
	}
	if h, ok := t.Host(name); ok {
		return []Host{h}
	}
	return nil
}

// all lists the machines of a kind.
func (t Topo) all(kind Kind) []Host {
	var hosts []Host
	for n := 1; n <= t.count(kind); n++ {
		hosts = append(hosts, Host{Name: Name(kind, n), Kind: kind, Number: n})
	}
	return hosts
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
