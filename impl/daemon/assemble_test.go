package daemon

import (
	"net/netip"
	"testing"

	"baton/impl/daemon/config"
	"baton/impl/daemon/pki"
	"baton/impl/dataplane"
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

// TestNodesShareOnlyTheSeedOfSNATPorts: a node can compute the SNAT ports that its peer tries. Its other
// random numbers differ from the peer's and are new at each start.
func TestNodesShareOnlyTheSeedOfSNATPorts(t *testing.T) {
	dir := t.TempDir()
	if err := pki.Init(dir, "lb1", "lb2"); err != nil {
		t.Fatal(err)
	}
	var seeds []dataplane.Config
	for _, id := range []string{"lb1", "lb2", "lb2"} {
		identity, err := pki.Load(pki.FilesIn(dir, id), id)
		if err != nil {
			t.Fatal(err)
		}
		cfg := config.Default()
		seeds = append(seeds, dataplaneConfig(&cfg, identity))
	}
	for _, other := range []dataplane.Config{seeds[0], seeds[1]} {
		last := seeds[2]
		if other.SNATSeed != last.SNATSeed {
			t.Errorf("two starts order the SNAT ports by %x and %x", other.SNATSeed, last.SNATSeed)
		}
		if other.SNATTurn == last.SNATTurn || other.SNATTurn == 0 {
			t.Errorf("two starts take the SNAT ports in turn from %x and %x", other.SNATTurn, last.SNATTurn)
		}
		if other.DatagramSeed == last.DatagramSeed || other.ChallengeKey[0] == last.ChallengeKey[0] || other.ChallengeKey[1] == last.ChallengeKey[1] {
			t.Errorf("two starts drew the same: %x %x, %x %x", other.DatagramSeed, other.ChallengeKey, last.DatagramSeed, last.ChallengeKey)
		}
	}
}
