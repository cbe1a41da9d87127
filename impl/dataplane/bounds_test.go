package dataplane_test

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// What is at a bound is accepted, and one more is not.
func TestBoundsOfAConfiguration(t *testing.T) {
	backend := dataplane.Backend{Addr: flow.IPv4(198, 18, 1, 11), Port: 80}
	for what, tt := range map[string]struct {
		fits, exceeds func(*dataplane.Config)
	}{
		"SNAT addresses": {pool(dataplane.MaxSNAT), pool(dataplane.MaxSNAT + 1)},
		"services":       {services(dataplane.MaxServices), services(dataplane.MaxServices + 1)},
		"the least weight": {
			func(c *dataplane.Config) {
				c.Services[0].Backends, c.Services[0].Weights = []dataplane.Backend{backend}, []int{1}
			},
			func(c *dataplane.Config) {
				c.Services[0].Backends, c.Services[0].Weights = []dataplane.Backend{backend}, []int{0}
			},
		},
		"a limit": {
			func(c *dataplane.Config) { c.Services[0].Limits.Flows = dataplane.MaxLimit },
			func(c *dataplane.Config) { c.Services[0].Limits.Flows = dataplane.MaxLimit + 1 },
		},
		"the least limit": {
			func(c *dataplane.Config) { c.Services[0].Limits.Embryonic = 0 },
			func(c *dataplane.Config) { c.Services[0].Limits.Embryonic = -1 },
		},
		"the peer's SNAT ports": {
			func(c *dataplane.Config) { c.SNATPeer = dataplane.PortRange{First: 60000, Last: 60001} },
			func(c *dataplane.Config) { c.SNATPeer = dataplane.PortRange{First: 59999, Last: 60001} },
		},
	} {
		c := good()
		if tt.fits(&c); c.Validate() != nil {
			t.Errorf("%s: %v", what, c.Validate())
		}
		c = good()
		if tt.exceeds(&c); c.Validate() == nil {
			t.Errorf("%s: one more is accepted", what)
		}
	}
}

// TestWhatIsALoad: a flow that has not ended. The entry of an affinity is none.
func TestWhatIsALoad(t *testing.T) {
	client := flow.Tuple{Src: flow.IPv4(198, 18, 0, 11), SrcPort: 40000, Dst: flow.IPv4(198, 18, 0, 100), DstPort: 80, Proto: flow.TCP}
	affinity := client
	affinity.SrcPort = 0
	for _, c := range []struct {
		of    *flow.Tuple
		state flow.State
		want  bool
	}{{&client, flow.Established, true}, {&client, flow.SynSent, true}, {&client, flow.Closed, false}, {&affinity, flow.Established, false}, {&affinity, flow.Closed, false}} {
		if got := dataplane.IsLoad(c.of, c.state); got != c.want {
			t.Errorf("%v in state %v: %v", c.of, c.state, got)
		}
	}
}

// TestAnIPv6VIPIsTheFirstIPv6Address, before those of the backends.
func TestAnIPv6VIPIsTheFirstIPv6Address(t *testing.T) {
	s := good().Services[0]
	if first, ok := s.FirstIPv6(); ok {
		t.Errorf("a service without one has %v", first)
	}
	backend := flow.AddrFrom(netip.MustParseAddr("2001:2::b"))
	s.Backends = []dataplane.Backend{{Addr: backend, Port: 80}}
	if first, ok := s.FirstIPv6(); !ok || first != backend {
		t.Errorf("%v, %v", first, ok)
	}
	s.VIP = flow.AddrFrom(netip.MustParseAddr("2001:2::64"))
	if first, ok := s.FirstIPv6(); !ok || first != s.VIP {
		t.Errorf("%v, %v", first, ok)
	}
}

// pool gives the service so many SNAT addresses.
func pool(addresses int) func(*dataplane.Config) {
	return func(c *dataplane.Config) {
		for i := range addresses - 1 {
			c.Services[0].SNATPool = append(c.Services[0].SNATPool, flow.IPv4(198, 18, 1, byte(101+i)))
		}
	}
}

// services gives the configuration so many of them.
func services(count int) func(*dataplane.Config) {
	return func(c *dataplane.Config) {
		c.Services = slices.Repeat(c.Services, count)
		for i := range c.Services {
			c.Services[i].Port = uint16(1 + i)
		}
	}
}

// All ports of the node's half count, and no others.
func TestTheWholeHalfIsCounted(t *testing.T) {
	s := good().Services[0]
	s.Backends = []dataplane.Backend{{Addr: flow.IPv4(198, 18, 1, 11), Port: 80}}
	c := dataplane.NewPortCount(dataplane.PortRange{First: 20000, Last: 20003}, []dataplane.Service{s})
	for port := uint16(19999); port <= 20004; port++ {
		c.Add(&flow.Tuple{Src: s.Backends[0].Addr, SrcPort: 80, Dst: s.SNAT, DstPort: port, Proto: flow.TCP}, 1)
	}
	if got, want := c.Of()[s.Service], (dataplane.PortUse{Backend: s.Backends[0], Used: 4, Ports: 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A flow counts for its service and its source until it is subtracted, an affinity for neither.
func TestAnAffinityIsNoFlowOfItsSource(t *testing.T) {
	s, counts := good().Services[0].Service, dataplane.FlowCounts{}
	o := flow.Tuple{Src: flow.IPv4(198, 18, 0, 11), SrcPort: 40000, Dst: s.VIP, DstPort: 80, Proto: flow.TCP}
	affinity := o
	affinity.SrcPort = 0
	counts.Add(s, &o, flow.SynSent, 1)
	counts.Add(s, &affinity, flow.Closed, 1)
	one := dataplane.FlowCount{Flows: 1, Embryonic: 1}
	if want := (dataplane.FlowCounts{{Service: s}: one, {Service: s, Source: o.Src}: one}); !maps.Equal(counts, want) {
		t.Errorf("%v, want %v", counts, want)
	}
	if counts.Add(s, &o, flow.SynSent, -1); len(counts) > 0 {
		t.Errorf("%v, want none", counts)
	}
}
