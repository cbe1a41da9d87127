package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// Ports is one port, written 80, a range, written 8000-8999, or all ports, written any.
type Ports struct {
	First uint16
	Last  uint16 // of a range; 0 for First alone
}

const anyPort = "any"

func (p Ports) String() string {
	switch {
	case p == Ports{1, flow.LastPort}:
		return anyPort
	case p.Last == 0:
		return strconv.Itoa(int(p.First))
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

// MarshalText implements encoding.TextMarshaler.
func (p Ports) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// MarshalYAML writes one port as a number.
func (p Ports) MarshalYAML() (any, error) {
	if p.Last == 0 {
		return p.First, nil
	}
	return p.String(), nil
}

func (d *document) ports(s, path string) (Ports, error) {
	if s == anyPort {
		return Ports{1, flow.LastPort}, nil
	}
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	var p Ports
	for _, end := range []struct {
		text string
		to   *uint16
	}{{first, &p.First}, {last, &p.Last}} {
		n, err := strconv.ParseUint(strings.TrimSpace(end.text), 10, 64)
		if err != nil {
			return p, d.fail(path, "%q is neither a port nor a range of ports; write it as 80, 8000-8999 or any", s)
		}
		if n == 0 || n > flow.LastPort {
			return p, d.fail(path, "%d is out of range; use 1 to %d", n, flow.LastPort)
		}
		*end.to = uint16(n)
	}
	switch {
	case p.Last < p.First:
		return p, d.fail(path, "%s is backwards; write it as %d-%d", s, p.Last, p.First)
	case p.First == p.Last:
		p.Last = 0
	}
	return p, nil
}

func (p Ports) ranged() bool { return p.Last != 0 }

// checkPorts rejects backends whose ports do not fit the service's.
func checkPorts(d *document, at string, s Service) error {
	for i, b := range s.Backends {
		path := index(at+".backends", i)
		switch {
		case b.Port() == 0 && !s.Port.ranged():
			return d.fail(path, "%v has no port; only a service of a range of ports can keep the port of each packet", b)
		case b.Port() != 0 && s.Port.ranged() && s.Mode == DNAT:
			return d.fail(path, "%v has a port, and dnat over a range of ports keeps that of each packet; write it as %v", b, netip.AddrPortFrom(b.Addr(), 0))
		case s.Mode.direct() && s.Port.ranged() && b.Port() != 0:
			return d.fail(path, "%v has a port, and %s keeps that of each packet; write it as %v", b, s.Mode, netip.AddrPortFrom(b.Addr(), 0))
		case s.Mode.direct() && !s.Port.ranged() && b.Port() != s.Port.First:
			return d.fail(path, "%v has another port than the service, and %s keeps that of each packet; write it as %v", b, s.Mode, netip.AddrPortFrom(b.Addr(), s.Port.First))
		case (b.Port() == 0) != (s.Backends[0].Port() == 0):
			return d.fail(path, "%v and %v differ in whether the port of each packet is kept (port 0); all backends of a service must agree", b, s.Backends[0])
		}
	}
	return nil
}

// checkRanges rejects ranges that overlap an earlier one of the same VIP without one containing the
// other, and ranges that narrower services cover completely.
func checkRanges(d *document, c *Config) error {
	ids := make([]flow.Service, len(c.Services))
	for i, s := range c.Services {
		ids[i] = s.identity()
		for j, other := range ids[:i] {
			if ids[i].Overlaps(other) {
				return d.fail(index("services", i)+".port", "%v overlaps %v, service %s on %s; a range may lie within another one, but not cross it",
					ids[i], other, c.Services[j].Name, d.place(index("services", j)+".port"))
			}
		}
	}
	finder := dataplane.NewFinder(ids)
	for i, id := range ids {
		if _, found := finder.OwnPort(id); !found {
			return d.fail(index("services", i)+".port", "no packet belongs to %v: other services have each of its ports, and the narrower one wins", id)
		}
	}
	return nil
}
