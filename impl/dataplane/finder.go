package dataplane

import (
	"cmp"
	"slices"

	"baton/impl/flow"
)

// Finder finds the service of a packet: the one of exactly its port, else the one with the
// narrowest range that contains its port. The zero Finder knows no services.
type Finder struct {
	alone  map[flow.Service]bool
	ranges map[endpoint][]flow.Service // the narrowest first
}

// endpoint is the address and protocol of a port. Only ranges of the same endpoint can contain
// each other.
type endpoint struct {
	addr  flow.Addr
	proto flow.Proto
}

// NewFinder returns the finder of some services.
func NewFinder(services []flow.Service) *Finder {
	f := &Finder{alone: make(map[flow.Service]bool), ranges: make(map[endpoint][]flow.Service)}
	for _, s := range services {
		if !s.IsRange() {
			f.alone[s] = true
			continue
		}
		at := endpoint{s.VIP, s.Proto}
		f.ranges[at] = append(f.ranges[at], s)
	}
	for _, ranges := range f.ranges { // in any order: each list is sorted
		slices.SortStableFunc(ranges, func(a, b flow.Service) int { return cmp.Compare(a.Last-a.Port, b.Last-b.Port) })
	}
	return f
}

// FinderOf returns the finder of configured services.
func FinderOf(services []Service) *Finder {
	ids := make([]flow.Service, len(services))
	for i, s := range services {
		ids[i] = s.Service
	}
	return NewFinder(ids)
}

// Ranged reports whether one of the services has a range of ports.
func (f *Finder) Ranged() bool { return len(f.ranges) > 0 }

// Find returns the service of a port of an address.
func (f *Finder) Find(addr flow.Addr, port uint16, proto flow.Proto) (s flow.Service, found bool) {
	s = flow.Service{VIP: addr, Port: port, Proto: proto}
	if f.alone[s] {
		return s, true
	}
	if len(f.ranges) > 0 {
		for _, r := range f.ranges[endpoint{addr, proto}] {
			if r.Has(port) {
				return r, true
			}
		}
	}
	return s, false
}

// Of returns the service of an original tuple. If no known service has its port, it returns one
// of only that port.
func (f *Finder) Of(original *flow.Tuple) flow.Service {
	s, _ := f.Find(original.Dst, original.DstPort, original.Proto)
	return s
}

// OwnPort returns the first port whose packets belong to a service. It stands for all of the
// service's ports in an affinity. A service that narrower ones cover completely has none.
func (f *Finder) OwnPort(s flow.Service) (port uint16, found bool) {
	for p := int(s.Port); p <= int(max(s.Port, s.Last)); p++ {
		if of, _ := f.Find(s.VIP, uint16(p), s.Proto); of == s {
			return uint16(p), true
		}
	}
	return 0, false
}
