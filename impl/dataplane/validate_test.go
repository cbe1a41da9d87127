package dataplane_test

import (
	"net/netip"
	"strings"
	"testing"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

func good() dataplane.Config {
	return dataplane.Config{
		ClientLink: "client0", BackendLink: "backend0",
		VIPs: []dataplane.VIP{{Addr: netip.MustParseAddr("198.18.0.100"), Link: "client0"}},
		Services: []dataplane.Service{{
			Service: flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: 80, Proto: flow.TCP}, Name: "web",
			Mode: dataplane.FullNAT, Balance: dataplane.RoundRobin, SNAT: flow.IPv4(198, 18, 1, 100),
		}},
		SNATPorts: dataplane.PortRange{First: 20000, Last: 59999}, Timeouts: dataplane.DefaultTimeouts(),
	}
}

// across gives the service backends of the other family.
func across(c *dataplane.Config) {
	c.Services[0].Mode, c.Services[0].SNAT = dataplane.DSRIPIP, flow.Addr{}
	c.Services[0].Backends = []dataplane.Backend{{Addr: flow.AddrFrom(netip.MustParseAddr("2001:2::b")), Port: 80}}
}

// The backends of dsr-ipip may be of another family than the VIP; then both families have a table.
func TestBackendsOfTheOtherFamily(t *testing.T) {
	c := good()
	across(&c)
	if err := c.Validate(); err != nil || !c.HasIPv6() || c.Services[0].Overhead() != 40 {
		t.Errorf("%v, IPv6: %v, an outer header of %d bytes", err, c.HasIPv6(), c.Services[0].Overhead())
	}
	o := flow.Tuple{Src: flow.IPv4(198, 18, 0, 11), SrcPort: 40000, Dst: c.Services[0].VIP, DstPort: 80, Proto: flow.TCP}
	e := flow.Entry{Original: o, Reply: flow.DirectReply(o, c.Services[0].Backends[0].Addr), State: flow.Established}
	if err := dataplane.ValidateEntry(&e); err != nil {
		t.Error(err)
	}
	e.Reply.DstPort = 40000
	if err := dataplane.ValidateEntry(&e); err == nil || !strings.Contains(err.Error(), "not all of one family") {
		t.Errorf("a translated flow across families: %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	if err := good().Validate(); err != nil {
		t.Fatalf("the good configuration: %v", err)
	}
	for _, tt := range []struct {
		want string
		edit func(*dataplane.Config)
	}{
		{"two links", func(c *dataplane.Config) { c.BackendLink = c.ClientLink }},
		{"no range", func(c *dataplane.Config) { c.SNATPorts.Last = 1 }},
		{"no range", func(c *dataplane.Config) { c.SNATPorts.First = 0 }},
		{"-1 flows", func(c *dataplane.Config) { c.MaxFlows = -1 }},
		{"-1 ICMP errors", func(c *dataplane.Config) { c.ICMPRate = -1 }},
		{"no timeouts", func(c *dataplane.Config) { c.Timeouts = dataplane.Timeouts{} }},
		{"VIP 2001:2::64 and SNAT address 198.18.1.100 are not of one family", func(c *dataplane.Config) {
			c.Services[0].VIP = flow.AddrFrom(netip.MustParseAddr("2001:2::64"))
		}},
		{"VIP 198.18.0.100 and backend 2001:2::b are not of one family", func(c *dataplane.Config) {
			c.Services[0].Backends = []dataplane.Backend{{Addr: flow.AddrFrom(netip.MustParseAddr("2001:2::b")), Port: 80}}
		}},
		{"VIP 198.18.0.100 and backend 2001:2::b are not of one family", func(c *dataplane.Config) {
			c.Services[0].Mode, c.Services[0].SNAT = dataplane.DSRL2, flow.Addr{}
			c.Services[0].Backends = []dataplane.Backend{{Addr: flow.AddrFrom(netip.MustParseAddr("2001:2::b")), Port: 80}}
		}},
		{"backends 2001:2::b and 198.18.1.11 are not of one family", func(c *dataplane.Config) {
			across(c)
			c.Services[0].Backends = append(c.Services[0].Backends, dataplane.Backend{Addr: flow.IPv4(198, 18, 1, 11), Port: 80})
		}},
		{`link "eth9"`, func(c *dataplane.Config) { c.VIPs[0].Link = "eth9" }},
		{"neither tcp, udp nor sctp", func(c *dataplane.Config) { c.Services[0].Proto = 1 }},
		{"neither fullnat, dnat, dsr-l2 nor dsr-ipip", func(c *dataplane.Config) { c.Services[0].Mode = 0 }},
		{"neither rr, maglev nor least-conn", func(c *dataplane.Config) { c.Services[0].Balance = 9 }},
		{"needs a SNAT address", func(c *dataplane.Config) { c.Services[0].SNAT = flow.Addr{} }},
		{"SNAT address 198.18.1.100 twice", func(c *dataplane.Config) { c.Services[0].SNATPool = []flow.Addr{c.Services[0].SNAT} }},
		{"17 SNAT addresses > 16", func(c *dataplane.Config) { c.Services[0].SNATPool = make([]flow.Addr, 16) }},
		{"without a first one", func(c *dataplane.Config) {
			c.Services[0].Mode, c.Services[0].SNAT, c.Services[0].SNATPool = dataplane.DNAT, flow.Addr{}, []flow.Addr{flow.IPv4(198, 18, 1, 101)}
		}},
		{"VIP 198.18.0.100 and SNAT address 2001:2::b are not of one family", func(c *dataplane.Config) {
			c.Services[0].SNATPool = []flow.Addr{flow.AddrFrom(netip.MustParseAddr("2001:2::b"))}
		}},
		{"are both tcp 198.18.0.100:80", func(c *dataplane.Config) { c.Services = append(c.Services, c.Services[0]) }},
		{"257 services", func(c *dataplane.Config) { c.Services = make([]dataplane.Service, 257) }},
	} {
		c := good()
		tt.edit(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want one with %q", err, tt.want)
		}
	}
}

// The two halves share no port and leave none out.
func TestPortRangeHalves(t *testing.T) {
	for _, r := range []dataplane.PortRange{{20000, 59999}, {20000, 20000 + 2}, {1, 65535}} {
		lower, upper := r.Lower(), r.Upper()
		if lower.First != r.First || upper.Last != r.Last || lower.Last+1 != upper.First {
			t.Errorf("%v splits into %v and %v", r, lower, upper)
		}
	}
}
