package netns

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"baton/scenarios/fault"
)

// TestFloodsPassALoadBalancer: the TTL lets a load balancer forward the packets, and is 255 for
// BFD, where a node discards any other (RFC 5881 5).
func TestFloodsPassALoadBalancer(t *testing.T) {
	for to, at := range map[string]int{"198.18.0.100:53": ipSource - ethLen - 4, "[2001:2::100]:53": ip6Source - ethLen - 1} {
		target := netip.MustParseAddrPort(to)
		f := &flooding{Flood: Flood{To: target, Victim: target.Addr()}, random: rand.New(rand.NewPCG(1, 2))}
		for kind, packet := range packets {
			want := byte(hostTTL)
			if kind == fault.FloodBFD {
				want = bfdTTL
			}
			if got := packet(f)[at]; got != want {
				t.Errorf("%s to %s has a TTL of %d, want %d", kind, to, got, want)
			}
		}
	}
}
