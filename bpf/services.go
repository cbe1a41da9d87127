package bpf

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// SetServices implements dataplane.Dataplane.
func (d *Dataplane) SetServices(services []dataplane.Service, vips []dataplane.VIP) error {
	if err := dataplane.ValidateServices(services); err != nil {
		return err
	}
	roles, err := model.AddressRoles(d.cfg.BackendLink, vips, services, d.host)
	if err := errors.Join(err, d.host.CheckTunnels(services)); err != nil {
		return err
	}
	for _, s := range services {
		if first, ok := s.FirstIPv6(); ok && len(d.families) == 1 {
			return fmt.Errorf("bpf: set service %s: %s is the first IPv6 address, and the IPv6 table is made at the start: restart the node", s.Name, first)
		}
	}
	if err := d.groups.join(vips); err != nil {
		return err
	}
	d.generation++
	var prunes []func() error
	wait := false
	for _, f := range d.families {
		prune, replaced, err := f.putServices(services, d.generation, roles, d.host)
		if err != nil {
			return err
		}
		prunes, wait = append(prunes, prune), wait || replaced
	}
	if wait {
		// A packet that has searched for the new service before it was written must not search for the
		// old one after it is gone.
		if err := d.quiesce(); err != nil {
			return err
		}
	}
	for _, prune := range prunes {
		if err := prune(); err != nil {
			return err
		}
	}
	return d.groups.leave(vips)
}

// putServices writes the family's services beside those that they replace, and only the differences. Every
// packet sees either the old or the new service: new backends are written into unused tables, and then the
// services that use them are replaced. An unchanged service keeps its round-robin turn.
//
// prune removes what is no longer wanted. If putServices has replaced services, prune must wait until each packet
// that may have seen a part of the old ones has left the programs.
func (f *family[A]) putServices(services []dataplane.Service, generation uint32, roles map[flow.Addr]model.AddressRole, host model.Host) (prune func() error, replaced bool, err error) {
	addresses := make(map[A]uint32)
	for a, m := range roles {
		if f.has(a) {
			addresses[toAddr[A](a)] = uint32(m)
		}
	}
	var mine []dataplane.Service
	for _, s := range services {
		if f.has(s.VIP) {
			mine = append(mine, s)
		}
	}
	places, err := f.backends.write(mine, f.services.holds)
	if err != nil {
		return nil, false, err
	}
	lifetimes := dataplane.NewLifetimes(f.timeouts, services)
	values := make(map[rawServiceKey[A]]rawService[A], len(mine))
	members := make(map[rawMember[A]]uint32)
	refusals := make(map[rawServiceKey[A]]rawRefusals)
	for i, s := range mine {
		key := toServiceKey[A](s.Service)
		refusals[key] = rawRefusals{} // initial value: a mirror keeps what was written
		own, _ := lifetimes.Services().OwnPort(s.Service)
		value := rawService[A]{
			Port: key.Port, Last: key.Last, Own: swapPort(own),
			Table: places[i].index, Size: places[i].size, Mode: uint8(s.Mode), Balance: uint8(s.Balance),
			Affine: s.Affinity > 0, Refuse: s.Refuse, Limited: s.Limits.Any(),
			Limit:       rawCount{int32(s.Limits.Flows), int32(s.Limits.Embryonic)},
			SourceLimit: rawCount{int32(s.Limits.SourceFlows), int32(s.Limits.SourceEmbryonic)},
			Challenge:   uint32(s.Limits.SYNChallenge),
			Overhead:    uint8(s.Overhead()),
		}
		for _, a := range s.SNATs() {
			value.Snat[value.Addresses] = toAddr[A](a)
			value.Addresses++
		}
		values[key] = value
		for _, b := range s.Backends {
			if s.Affinity == 0 {
				continue
			}
			raw, err := toBackend[A](b, f.ends)
			if err != nil {
				return nil, false, err
			}
			members[rawMember[A]{Addr: raw.Addr, Table: places[i].index, Port: raw.Port}] = 1
		}
	}
	ranges, dnat, dnatRanges := portRanges[A](mine), make(map[rawEndpoint[A]]uint32), make(map[rawPortKey[A]]uint32)
	addSenders(mine, dnat, dnatRanges)
	f.lifetimes.Store(lifetimes)
	f.balanced.Store(&mine)
	limited := dataplane.Limited(services)
	f.limited.Store(&limited)
	f.counting.Store(true) // a sweep removes the counts of earlier limits
	replaced = len(f.services.holds) > 0 && !(maps.Equal(f.services.holds, values) && maps.Equal(f.ranges.holds, ranges))
	err = errors.Join(
		f.setLimited(len(limited) > 0),
		f.setTunnels(host, services),
		f.addresses.put(addresses), f.dnatBackends.put(dnat), f.dnatRanges.put(dnatRanges), f.members.put(members), f.refusals.put(refusals),
		f.services.put(values), f.ranges.put(ranges))
	prune = func() error {
		return errors.Join(
			f.setRanged(len(ranges) > 0), // while no service is missing, with ranges or without
			f.ranges.prune(ranges), f.services.prune(values),
			f.refusals.prune(refusals), f.members.prune(members), f.dnatBackends.prune(dnat), f.dnatRanges.prune(dnatRanges), f.addresses.prune(addresses),
			f.setGeneration(generation)) // last: packets now see the new services
	}
	return prune, replaced, err
}

func (f *family[A]) setLimited(limited bool) error {
	err := f.objs.Limited.Set(limited)
	if f.xdp != nil {
		err = errors.Join(err, f.xdp.Limited.Set(limited))
	}
	return err
}

// setTunnels tells the programs the sources of encapsulated packets, and whether a service encapsulates.
func (f *family[A]) setTunnels(host model.Host, services []dataplane.Service) error {
	encapsulates := slices.ContainsFunc(services, func(s dataplane.Service) bool { return s.Mode.Encapsulates() })
	source4, source6 := host.TunnelSource(true), host.TunnelSource(false)
	err := errors.Join(f.objs.TunnelSource4.Set(source4.As4()), f.objs.TunnelSource6.Set(source6), f.objs.Encapsulates.Set(encapsulates))
	if f.xdp != nil {
		err = errors.Join(err, f.xdp.TunnelSource4.Set(source4.As4()), f.xdp.TunnelSource6.Set(source6))
	}
	return err
}

func (f *family[A]) setGeneration(generation uint32) error {
	err := f.objs.Generation.Set(generation)
	if f.xdp != nil {
		err = errors.Join(err, f.xdp.Generation.Set(generation))
	}
	return err
}

// tunnelSources returns the first address of each family on the backend link; for IPv6 the first that is
// not link-local.
func tunnelSources(backend *net.Interface) (all []flow.Addr, err error) {
	addrs, err := backend.Addrs()
	if err != nil {
		return nil, fmt.Errorf("bpf: read addresses of %s: %w", backend.Name, err)
	}
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.IsLinkLocalUnicast() {
			continue
		}
		addr := flow.Addr(n.IP.To16())
		if !slices.ContainsFunc(all, func(other flow.Addr) bool { return other.Is4() == addr.Is4() }) {
			all = append(all, addr)
		}
	}
	return all, nil
}

// hostAddresses returns the host's addresses and the broadcast addresses of its networks.
func hostAddresses(backend *net.Interface) (h model.Host, err error) {
	if h.TunnelSources, err = tunnelSources(backend); err != nil {
		return h, err
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return h, fmt.Errorf("bpf: read own addresses: %w", err)
	}
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		h.Own = append(h.Own, flow.Addr(n.IP.To16()))
		if ones, bits := n.Mask.Size(); n.IP.To4() != nil && bits-ones > 1 { // RFC 3021: a /31 has none
			h.Broadcast = append(h.Broadcast, flow.Addr(lastOf(n).To16()))
		}
	}
	return h, nil
}

func lastOf(n *net.IPNet) net.IP {
	last, mask := slices.Clone(n.IP.To4()), n.Mask[len(n.Mask)-4:]
	for i := range last {
		last[i] |= ^mask[i]
	}
	return last
}
