package daemon

import (
	"net"
	"net/netip"
	"slices"
)

// linksWithout returns those links, by index, that exist and do not have an address.
func linksWithout(addr netip.Addr, names ...string) (indices []int) {
	for _, name := range names {
		link, err := net.InterfaceByName(name)
		if err != nil {
			continue
		}
		addrs, err := link.Addrs()
		if err != nil {
			continue
		}
		has := slices.ContainsFunc(addrs, func(a net.Addr) bool {
			prefix, err := netip.ParsePrefix(a.String())
			return err == nil && prefix.Addr() == addr
		})
		if !has {
			indices = append(indices, link.Index)
		}
	}
	return indices
}
