package daemon

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// linksWithout returns the indexes of the links that do not have an address.
func linksWithout(addr netip.Addr, names ...string) (indices []int, err error) {
	for _, name := range names {
		link, err := net.InterfaceByName(name)
		if err != nil {
			return nil, fmt.Errorf("link %s: %w", name, err)
		}
		addrs, err := link.Addrs()
		if err != nil {
			return nil, fmt.Errorf("addresses of link %s: %w", name, err)
		}
		has := slices.ContainsFunc(addrs, func(a net.Addr) bool {
			prefix, err := netip.ParsePrefix(a.String())
			return err == nil && prefix.Addr() == addr
		})
		if !has {
			indices = append(indices, link.Index)
		}
	}
	return indices, nil
}
