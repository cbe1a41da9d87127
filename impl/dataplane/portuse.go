package dataplane

import (
	"bytes"
	"cmp"
	"slices"

	"baton/impl/flow"
)

// PortUse is how many SNAT ports the flows to one backend use. Each backend can be reached
// from every port of every SNAT address, so a service's ports are used up where one
// backend's are.
type PortUse struct {
	Backend     Backend
	Used, Ports int
}

// PortCount counts the SNAT ports in use to each backend, during one walk through the table.
type PortCount struct {
	half     PortRange
	services []Service
	used     map[portUser]int
}

// portUser is a destination to which each SNAT port can be used once. For a backend that keeps the
// ports of a range, each port with flows is a portUser; backend port 0 stands for all.
type portUser struct {
	backend Backend
	snat    flow.Addr
	proto   flow.Proto
}

// NewPortCount begins a count for those of the services that have SNAT ports.
func NewPortCount(half PortRange, services []Service) *PortCount {
	c := &PortCount{half: half, used: make(map[portUser]int)}
	for _, s := range services {
		if s.Mode != FullNAT {
			continue
		}
		c.services = append(c.services, s)
		for _, b := range s.Backends {
			for _, a := range s.SNATs() {
				c.used[portUser{b, a, s.Proto}] = 0
			}
		}
	}
	return c
}

// Empty reports whether there is nothing to count.
func (c *PortCount) Empty() bool { return len(c.used) == 0 }

// Add adds by to the count of a reply tuple's port, if it is in this node's half.
func (c *PortCount) Add(reply *flow.Tuple, by int) {
	if reply.DstPort < c.half.First || reply.DstPort > c.half.Last {
		return
	}
	user := portUser{Backend{reply.Src, reply.SrcPort}, reply.Dst, reply.Proto}
	n, ok := c.used[user]
	if !ok {
		_, ok = c.used[portUser{Backend{Addr: reply.Src}, reply.Dst, reply.Proto}]
	}
	if ok {
		c.used[user] = n + by
	}
}

// servers returns the backends of a service as flows reach them.
func (c *PortCount) servers(s Service) []Backend {
	if !s.KeepsPorts() {
		return s.Backends
	}
	servers := slices.Clone(s.Backends)
	for user := range c.used { // in any order: servers is sorted
		if user.proto == s.Proto && s.Has(user.backend.Port) && slices.Contains(s.Backends, Backend{Addr: user.backend.Addr}) {
			servers = append(servers, user.backend)
		}
	}
	slices.SortFunc(servers, func(a, b Backend) int {
		return cmp.Or(bytes.Compare(a.Addr[:], b.Addr[:]), cmp.Compare(a.Port, b.Port))
	})
	return slices.Compact(servers)
}

// Of returns the result for each service: the backend with the most ports in use.
func (c *PortCount) Of() map[flow.Service]PortUse {
	all := make(map[flow.Service]PortUse, len(c.services))
	ports := int(c.half.Last-c.half.First) + 1
	for _, s := range c.services {
		var most PortUse
		for _, b := range c.servers(s) {
			use := PortUse{Backend: b, Ports: ports * len(s.SNATs())}
			for _, a := range s.SNATs() {
				use.Used += c.used[portUser{b, a, s.Proto}]
			}
			if most.Ports == 0 || use.Used > most.Used {
				most = use
			}
		}
		if most.Ports > 0 {
			all[s.Service] = most
		}
	}
	return all
}
