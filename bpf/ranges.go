package bpf

import (
	"cmp"
	"errors"
	"slices"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// portRanges returns the prefixes of services with port ranges. If two services have the same
// prefix, the narrower range gets it.
func portRanges[A addr](services []dataplane.Service) map[rawPortKey[A]]rawServiceKey[A] {
	services = slices.Clone(services)
	slices.SortStableFunc(services, func(a, b dataplane.Service) int { // the widest first
		return cmp.Compare(b.Last-b.Port, a.Last-a.Port)
	})
	ranges := make(map[rawPortKey[A]]rawServiceKey[A])
	for _, s := range services {
		for _, k := range portKeys[A](s.Service) {
			ranges[k] = toServiceKey[A](s.Service)
		}
	}
	return ranges
}

// addSenders adds the addresses and ports from which the backends of dnat services reply.
func addSenders[A addr](services []dataplane.Service, backends map[rawEndpoint[A]]uint32, ranges map[rawPortKey[A]]uint32) {
	for _, s := range services {
		if s.Mode != dataplane.DNAT {
			continue
		}
		for _, b := range s.Backends {
			from := s.Sender(b)
			if !from.IsRange() {
				backends[toEndpoint[A](from.VIP, from.Port, from.Proto)] = 1
			}
			for _, k := range portKeys[A](from) {
				ranges[k] = 1
			}
		}
	}
}

// portKeys returns the prefixes of a range of ports; none for a single port.
func portKeys[A addr](s flow.Service) []rawPortKey[A] {
	if !s.IsRange() {
		return nil
	}
	var none rawPortKey[A]
	before := uint32(8 * (len(none.Addr) + 2)) // the address, the protocol and the padding
	var keys []rawPortKey[A]
	for _, p := range dataplane.PortPrefixes(s.Port, s.Last) {
		keys = append(keys, rawPortKey[A]{Bits: before + uint32(p.Bits), Addr: toAddr[A](s.VIP), Proto: uint8(s.Proto), Port: swapPort(p.Port)})
	}
	return keys
}

// setRanged tells the programs whether any service has a range of ports.
func (f *family[A]) setRanged(ranged bool) error {
	err := f.objs.Ranged.Set(ranged)
	if f.xdp != nil {
		err = errors.Join(err, f.xdp.Ranged.Set(ranged))
	}
	return err
}
