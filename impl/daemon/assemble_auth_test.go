package daemon

import (
	"net/netip"
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/daemon/config"
	"baton/impl/daemon/pki"
)

// life is the BFD session of a node's next process, on a path of the pair's configurations.
func life(t *testing.T, files pki.Files, node, peer string, local, remote netip.Addr) *bfd.Session {
	t.Helper()
	identity, err := pki.Load(files, node)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Node, cfg.Peer = node, peer
	cfg.BFD.TX, cfg.BFD.RX = config.Duration(4*time.Millisecond), config.Duration(4*time.Millisecond)
	cfg.BFD.Paths = []config.Path{{Name: "sync", Link: "sync0", Local: local, Peer: remote}}
	s, err := bfd.New(nodeConfig(&cfg, identity).Paths[0].BFD, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestANodeThatHasRestartedIsHeardAtOnce: its first packets are accepted, and the packets of
// its previous process are refused as replays.
func TestANodeThatHasRestartedIsHeardAtOnce(t *testing.T) {
	dir := t.TempDir()
	if err := pki.Init(dir, "lb1", "lb2"); err != nil {
		t.Fatal(err)
	}
	addr1, addr2 := netip.MustParseAddr("198.18.2.1"), netip.MustParseAddr("198.18.2.2")
	peer := life(t, pki.FilesIn(dir, "lb2"), "lb2", "lb1", addr2, addr1)
	now := clock.Instant(0)
	send := func(s *bfd.Session) []byte {
		now = now.Add(time.Second) // the slow rate
		s.Advance(now)
		return s.Ready().Packets[0]
	}
	var old []byte
	for lives := range 3 {
		began := time.Now()
		s := life(t, pki.FilesIn(dir, "lb1"), "lb1", "lb2", addr1, addr2)
		for i := range 5 {
			packet := send(s)
			if err := peer.Receive(now, packet, bfd.TransmitTTL); err != nil {
				t.Fatalf("packet %d of life %d: %v", i, lives, err)
			}
			if i == 0 && lives == 0 {
				old = append(old, packet...)
			}
		}
		if err := peer.Receive(now, old, bfd.TransmitTTL); err == nil {
			t.Errorf("life %d: a packet of the first one was taken again", lives)
		}
		for time.Since(began) < 10*time.Millisecond { // more than five quarters of 4 ms
			time.Sleep(time.Millisecond)
		}
	}
}
