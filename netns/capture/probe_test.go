package capture

import (
	"net/netip"
	"testing"

	"baton/impl/flow"
	"baton/scenarios/lab"
)

// TestProbesOfBackendsAreNoClients: a refused health check is not a RST of a client.
func TestProbesOfBackendsAreNoClients(t *testing.T) {
	address := netip.MustParseAddr
	c := &Capture{lbs: map[string]bool{"lb1": true}, cfg: Config{Addresses: map[netip.Addr]string{
		address("198.18.1.1"): "lb1", address("198.18.1.11"): "backend1", address("198.18.0.1"): "lb1",
	}}}
	tuple := func(src, dst string) flow.Tuple {
		return flow.Tuple{Src: flow.AddrFrom(address(src)), Dst: flow.AddrFrom(address(dst)), SrcPort: 80, DstPort: 40000, Proto: flow.TCP}
	}
	for _, tt := range []struct {
		edge, src, dst string
		probe          bool
	}{
		{lab.Backends, "198.18.1.11", "198.18.1.1", true},
		{lab.Backends, "198.18.1.1", "198.18.1.11", true},
		{lab.Backends, "198.18.1.11", "198.18.1.100", false}, // the SNAT address
		{lab.Backends, "198.18.1.11", "198.18.0.11", false},  // a client's, of dnat
		{lab.Clients, "198.18.0.1", "198.18.0.11", false},
	} {
		if got := c.isProbe(&edge{Edge: Edge{Name: tt.edge}}, tuple(tt.src, tt.dst)); got != tt.probe {
			t.Errorf("%s>%s at the %s edge: probe %v", tt.src, tt.dst, tt.edge, got)
		}
	}
}
