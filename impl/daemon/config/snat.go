package config

import (
	"fmt"
	"net/netip"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// SNATs returns the service's SNAT addresses, snat first; none if it has none.
func (s Service) SNATs() []netip.Addr {
	if !s.SNAT.IsValid() {
		return nil
	}
	all := []netip.Addr{s.SNAT.Addr}
	for _, r := range s.SNATPool {
		all = append(all, r.addrs(dataplane.MaxSNAT)...)
	}
	return all
}

func (s Service) pool() (pool []flow.Addr) {
	for _, a := range s.SNATs()[1:] {
		pool = append(pool, flow.AddrFrom(a))
	}
	return pool
}

// snatText is the form in which nodes compare SNAT addresses. Without a pool it is the single address,
// as in older nodes, which know no pools.
func (s Service) snatText() string {
	if len(s.SNATPool) == 0 && s.SNAT.IsValid() {
		return s.SNAT.String()
	}
	return fmt.Sprint(s.SNATs())
}

// checkSNAT requires a SNAT address unless the backends answer clients directly.
func checkSNAT(d *document, at string, s Service) error {
	path := at + ".snat"
	switch {
	case s.Mode.direct() && d.has(path):
		return d.fail(path, "a service of mode %s has no SNAT address: its backends answer clients directly; leave it out", s.Mode)
	case s.Mode.direct():
		return nil
	case !s.SNAT.IsValid():
		return d.fail(path, "is missing; add the backend-side VIP: source of fullnat flows, gateway of dnat backends")
	}
	if err := checkRouted(d, path, s.SNAT.Addr); err != nil {
		return err
	}
	return checkFamily(d, path, s.SNAT.Addr, s.VIP)
}

// checkPool checks the pool's ranges. Services may share addresses: a SNAT port belongs to one
// flow of a backend, whatever its service.
func checkPool(d *document, at string, s Service) error {
	if len(s.SNATPool) > 0 && s.Mode != FullNAT {
		return d.fail(at+".snat_pool", "a service of mode %s sends with its clients' addresses; leave the pool out", s.Mode)
	}
	seen := map[netip.Addr]string{s.SNAT.Addr: d.place(at + ".snat")}
	for i, r := range s.SNATPool {
		path := index(at+".snat_pool", i)
		for _, a := range []netip.Addr{r.First, r.Last} {
			if err := checkRouted(d, path, a); err != nil {
				return err
			}
			if err := checkFamily(d, path, a, s.VIP); err != nil {
				return err
			}
		}
		if r.Last.Less(r.First) {
			return d.fail(path, "%v ends before it begins; write the lower address first", r)
		}
		for _, a := range r.addrs(dataplane.MaxSNAT) {
			if first, twice := seen[a]; twice {
				return d.fail(path, "%v is a SNAT address on %s already; name each once", a, first)
			}
			seen[a] = d.place(path)
		}
		if len(seen) > dataplane.MaxSNAT {
			return d.fail(path, "with %v the service has more than %d SNAT addresses; use fewer", r, dataplane.MaxSNAT)
		}
	}
	return nil
}
