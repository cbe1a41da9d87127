package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"baton/impl/daemon/config"
)

// BenchmarkReload measures a MASTER's reload of 100 services of 10 backends each, one
// changed backend in each, from request to answer. late-ms is the maximum lateness of the
// loop.
func BenchmarkReload(b *testing.B) {
	p := newPair(b)
	n := p.nodes[0]
	first := n.Services[0]
	variant := func(last int) {
		n.Services = nil
		for i := range 100 {
			s := first
			s.Name, s.Port, s.Backends = fmt.Sprintf("s%d", i), config.Ports{First: uint16(1000 + i)}, nil
			s.Balance = []config.Balance{config.RoundRobin, config.Maglev}[i%2]
			for j := range 10 {
				s.Backends = append(s.Backends, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 1, byte(10 + j)}), uint16(1000+i)))
			}
			s.Backends[9] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 1, byte(last)}), uint16(1000+i))
			n.Services = append(n.Services, s)
		}
		n.writeConfig(b)
	}
	variant(200)
	n.start(b)
	n.waitStatus(b, "MASTER alone", is("Master"))
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		variant(201 + i%2)
		b.StartTimer()
		if changes := n.reload(b); len(changes) != 200 {
			b.Fatalf("%d changes: %q", len(changes), changes)
		}
	}
	s, err := n.status(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(s.Loop.LateMax.Microseconds())/1000, "late-ms")
}
