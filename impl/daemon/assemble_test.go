package daemon

import (
	"net/netip"
	"testing"

	"baton/impl/daemon/config"
	"baton/impl/daemon/pki"
)

// TestRFC5880_6_8_1_DiscriminatorsOfANode: each start draws new ones, so knowledge of old
// ones is useless.
//
// Conformance: RFC 5880 6.8.1/5
func TestRFC5880_6_8_1_DiscriminatorsOfANode(t *testing.T) {
	cfg := &config.Config{Node: "lb1", Peer: "lb2"}
	for i := range 8 {
		cfg.BFD.Paths = append(cfg.BFD.Paths, config.Path{Peer: netip.AddrFrom4([4]byte{198, 18, 2, byte(2 + i)})})
	}
	drawn := map[uint32]bool{}
	for range 2 {
		for _, p := range nodeConfig(cfg, &pki.Identity{}).Paths {
			drawn[p.BFD.LocalDiscr] = true
		}
	}
	if len(drawn) != 16 || drawn[0] {
		t.Errorf("two lives with 8 paths each have the discriminators %v, want 16 different ones", drawn)
	}
}
