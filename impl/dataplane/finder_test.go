package dataplane

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"baton/impl/flow"
)

// TestPortPrefixesCoverARange: the prefixes cover exactly its ports, each once, and no two can be merged.
func TestPortPrefixesCoverARange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Uint16().Draw(t, "first")
		last := rapid.Uint16Range(first, 65535).Draw(t, "last")
		next := uint32(first)
		prefixes := PortPrefixes(first, last)
		for i, p := range prefixes {
			size := uint32(1) << (portBits - p.Bits)
			if uint32(p.Port) != next || uint32(p.Port)%size != 0 {
				t.Fatalf("%d-%d: prefix %d is %v, want one that begins with %d", first, last, i, p, next)
			}
			next += size
			if i > 0 && prefixes[i-1].Bits == p.Bits && uint32(prefixes[i-1].Port)%(2*size) == 0 {
				t.Fatalf("%d-%d: %v and %v are one", first, last, prefixes[i-1], p)
			}
		}
		if next != uint32(last)+1 {
			t.Fatalf("%d-%d: the prefixes end before %d", first, last, next)
		}
	})
}

// TestPrefixesOfANarrowerRangeAreNeverShorter: the longest-prefix search relies on this.
func TestPrefixesOfANarrowerRangeAreNeverShorter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wideFirst := rapid.Uint16Range(0, 60000).Draw(t, "wide")
		wideLast := rapid.Uint16Range(wideFirst, 65535).Draw(t, "to")
		first := rapid.Uint16Range(wideFirst, wideLast).Draw(t, "narrow")
		last := rapid.Uint16Range(first, wideLast).Draw(t, "narrow to")
		port := rapid.Uint16Range(first, last).Draw(t, "port")
		if narrow, wide := prefixOf(first, last, port), prefixOf(wideFirst, wideLast, port); narrow.Bits < wide.Bits {
			t.Fatalf("port %d: %v of %d-%d, %v of %d-%d", port, narrow, first, last, wide, wideFirst, wideLast)
		}
	})
}

func prefixOf(first, last, port uint16) (found PortPrefix) {
	for _, p := range PortPrefixes(first, last) {
		if p.Port <= port && uint32(port) < uint32(p.Port)+1<<(portBits-p.Bits) {
			found = p
		}
	}
	return found
}

func at(port, last uint16) flow.Service {
	return flow.Service{VIP: flow.IPv4(192, 0, 2, 10), Port: port, Last: last, Proto: flow.TCP}
}

func TestTheNarrowestServiceOfAPortIsFound(t *testing.T) {
	wide, narrow, alone := at(1, 65535), at(8000, 8999), at(8000, 0)
	for _, order := range [][]flow.Service{{wide, narrow, alone}, {alone, narrow, wide}} {
		f := NewFinder(order)
		for port, want := range map[uint16]flow.Service{1: wide, 7999: wide, 8000: alone, 8001: narrow, 8999: narrow, 9000: wide, 65535: wide} {
			if got, found := f.Find(want.VIP, port, flow.TCP); !found || got != want {
				t.Errorf("port %d: %v, want %v", port, got, want)
			}
		}
		if got, found := f.Find(wide.VIP, 8000, flow.UDP); found {
			t.Errorf("the service of another protocol: %v", got)
		}
		if got, found := f.Find(wide.VIP, 0, flow.TCP); found {
			t.Errorf("the service of port 0: %v", got)
		}
		for s, want := range map[flow.Service]uint16{wide: 1, narrow: 8001, alone: 8000} {
			if own, ok := f.OwnPort(s); !ok || own != want {
				t.Errorf("the own port of %v is %d, want %d", s, own, want)
			}
		}
	}
}

func TestServicesOfRangesAreValidated(t *testing.T) {
	service := func(name string, s flow.Service, mode Mode, ports ...uint16) Service {
		out := Service{Service: s, Name: name, Mode: mode, Balance: RoundRobin, SNAT: flow.IPv4(198, 18, 1, 100)}
		for i, p := range ports {
			out.Backends = append(out.Backends, Backend{flow.IPv4(198, 18, 1, byte(11+i)), p})
		}
		return out
	}
	for _, tt := range []struct {
		services []Service
		want     string
	}{
		{[]Service{service("a", at(8000, 8999), DNAT, 0), service("b", at(8000, 9999), FullNAT, 80), service("c", at(8000, 0), DNAT, 80), service("d", at(1, 65535), DNAT)}, ""},
		{[]Service{service("a", at(8999, 8000), DNAT, 0)}, "8999-8000 are no range"},
		{[]Service{service("a", at(0, 8000), DNAT, 0)}, "0-8000 are no range"},
		{[]Service{service("a", at(8000, 8000), DNAT, 0)}, "8000-8000 are no range"},
		{[]Service{service("a", at(8000, 0), DNAT, 0)}, "has no port"},
		{[]Service{service("a", at(8000, 8999), FullNAT, 0, 80)}, "some backends keep the port"},
		{[]Service{service("a", at(8000, 8999), DNAT, 80)}, "dnat over a range of ports keeps the port"},
		{[]Service{service("a", at(8000, 8999), DNAT, 0), service("b", at(8500, 9500), DNAT, 0)}, `services "a" and "b" overlap: tcp 192.0.2.10:8000-8999 and tcp 192.0.2.10:8500-9500`},
		{[]Service{service("a", at(8000, 8999), DNAT, 0), service("b", at(8000, 8999), DNAT, 0)}, `"a" and "b" are both tcp 192.0.2.10:8000-8999`},
		{[]Service{service("a", at(8000, 8001), DNAT, 0), service("b", at(8000, 0), DNAT, 80), service("c", at(8001, 0), DNAT, 80)}, "no port that is not another service's"},
	} {
		err := ValidateServices(tt.services)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.services[0].Service, err, tt.want)
		}
	}
}

// TestPortsOfARangeAreCountedEach: if a backend keeps the ports, all SNAT ports are available for each.
func TestPortsOfARangeAreCountedEach(t *testing.T) {
	s := Service{Service: at(8000, 8999), Mode: FullNAT, SNAT: flow.IPv4(198, 18, 1, 100), Backends: []Backend{{Addr: flow.IPv4(198, 18, 1, 11)}}}
	c := NewPortCount(PortRange{20000, 20003}, []Service{s})
	if got := c.Of()[s.Service]; got != (PortUse{s.Backends[0], 0, 4}) {
		t.Errorf("without flows: %+v", got)
	}
	add := func(from, to uint16, by int) {
		c.Add(&flow.Tuple{Src: s.Backends[0].Addr, SrcPort: from, Dst: s.SNAT, DstPort: to, Proto: flow.TCP}, by)
	}
	add(8000, 20000, 1)
	add(8001, 20000, 1)
	add(8001, 20001, 1)
	add(80, 20002, 1) // another service's
	add(80, 20003, 1)
	add(80, 20001, 1)
	if got := c.Of()[s.Service]; got != (PortUse{Backend{s.Backends[0].Addr, 8001}, 2, 4}) {
		t.Errorf("%+v", got)
	}
	add(8001, 20001, -1)
	add(8001, 20000, -1)
	if got := c.Of()[s.Service]; got != (PortUse{Backend{s.Backends[0].Addr, 8000}, 1, 4}) {
		t.Errorf("after removal: %+v", got)
	}
}
