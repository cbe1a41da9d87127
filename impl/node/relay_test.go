package node_test

import (
	"slices"
	"testing"
	"time"

	"baton/impl/clock"
	. "baton/impl/node"
	"baton/impl/trace"
)

// Packets are relayed from the end of the lease, for a limited time.
func TestAHandoverRelays(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	var relay clock.Instant
	lb1.onRelease = func() { relay = lb1.relay }
	began := l.now
	l.step(lb1, Handover{})
	if relay != began.Add(RelayLimit) {
		t.Errorf("as the lease ends, packets are relayed until %v, want %v", relay, began.Add(RelayLimit))
	}
	if !slices.ContainsFunc(l.log, func(e trace.Event) bool { return e.Node == "lb1" && e.Lease != nil && e.Lease.Relay == relay }) {
		t.Error("no lease event says that packets are relayed")
	}
	if got := relay.Sub(began); got < YieldLimit+GrantLimit {
		t.Errorf("packets are relayed for %v, but the peer may take the role up to %v from now", got, YieldLimit+GrantLimit)
	}
	masterWithin(l, "lb2", 20*time.Millisecond)
	if lb1.relay != relay || l.nodes["lb2"].relay != 0 {
		t.Errorf("after the handover lb1 relays packets until %v and lb2 until %v", lb1.relay, l.nodes["lb2"].relay)
	}
}

// A node that keeps the role forwards again and relays no longer.
func TestRelayingEndsWithALease(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropSync["lb2"] = true // its acks never arrive
	l.open("lb1", 7)
	l.step(l.nodes["lb1"], Handover{})
	if l.nodes["lb1"].relay == 0 {
		t.Fatal("packets are not relayed")
	}
	masterWithin(l, "lb1", YieldLimit+50*time.Millisecond)
	if got := l.nodes["lb1"].relay; got != 0 {
		t.Errorf("a MASTER relays packets until %v", got)
	}
}

// Each node learns the hardware addresses of the other's links, and when one changes.
func TestPeersTellTheirHardwareAddresses(t *testing.T) {
	l := newPair(t)
	check := func(client, backend MAC) {
		t.Helper()
		if got := l.nodes["lb1"].peerMACs; got["client0"] != client || got["backend0"] != backend {
			t.Errorf("lb1 knows the addresses %x", got)
		}
	}
	check(labMAC("lb2", 0), labMAC("lb2", 1))
	l.run(time.Second) // so that no other news is pending
	l.step(l.nodes["lb2"], Link{Name: "backend0", Up: true, MAC: MAC{2, 1}})
	l.run(time.Millisecond)
	check(labMAC("lb2", 0), MAC{2, 1})
}

// A peer of an earlier version does not send its addresses, and nothing is relayed to it.
func TestNoAddressesFromAnEarlierVersion(t *testing.T) {
	l := newPairAt(t, 4)
	l.run(time.Second)
	for id, n := range l.nodes {
		if len(n.peerMACs) > 0 {
			t.Errorf("%s knows the addresses %x", id, n.peerMACs)
		}
	}
}

// A BACKUP relays as long as it hears a MASTER, and never beyond the MASTER's lease.
func TestTheBackupRelaysUnderTheMastersLease(t *testing.T) {
	for offset := time.Duration(0); offset < labTx; offset += time.Millisecond {
		l := newPair(t)
		l.run(time.Second + offset)
		lb1, lb2 := l.nodes["lb1"], l.nodes["lb2"]
		for range 200 {
			l.run(time.Millisecond)
			if lb2.relay <= l.now || lb1.relay != 0 {
				t.Fatalf("at %v lb2 relays until %v and lb1 until %v", l.now, lb2.relay, lb1.relay)
			}
		}
		l.freeze("lb1")
		l.run(labDetect)
		if lb2.relay > lb1.lease {
			t.Errorf("after a freeze %v into an interval lb2 relays until %v, and the lease of lb1 ends at %v", offset, lb2.relay, lb1.lease)
		}
	}
}

// After a takeover nobody relays: the new MASTER forwards, and the former one does not run. Once it
// is back it relays for hosts that have not heard of the takeover.
func TestAFormerMasterRelaysOnceItIsBack(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.crash("lb1")
	masterWithin(l, "lb2", 2*labDetect)
	if lb2 := l.nodes["lb2"]; lb2.relay > l.now {
		t.Errorf("lb2 is MASTER and relays until %v", lb2.relay)
	}
	l.boot("lb1")
	l.run(time.Second)
	if lb1 := l.nodes["lb1"]; lb1.relay <= l.now {
		t.Errorf("lb1 is %s and relays until %v", l.role("lb1"), lb1.relay)
	}
}

// A node whose peer does not have the role does not relay.
func TestNobodyRelaysWithoutAMaster(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Track = Track{Targets: []string{"b1"}, Misses: 1} })
	l.boot("lb1")
	l.boot("lb2")
	for id := range l.nodes {
		l.probe(id, false)
	}
	l.run(labHold * 4 / 5)
	l.wantRoles("Backup", "Backup")
	for id, n := range l.nodes {
		if n.relay != 0 {
			t.Errorf("%s relays until %v", id, n.relay)
		}
	}
}

// What the peer last said on a stream that is lost is no reason to relay.
func TestABackupWithoutAStreamDoesNotRelay(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropSync["lb1"], l.dropSync["lb2"] = true, true
	l.run(2 * time.Second)
	l.wantRoles("Master", "Backup")
	if got := l.nodes["lb2"].relay; got > l.now {
		t.Errorf("lb2 relays until %v, %v from now", got, got.Sub(l.now))
	}
}

// A packet on a path that is not Up is no reason to relay: the MASTER sends rarely there, and the packet
// does not show how long its lease lasts.
func TestABackupDoesNotRelayByAPathThatIsNotUp(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1, lb2 := l.nodes["lb1"], l.nodes["lb2"]
	for _, p := range lb2.cfg.Paths {
		l.dropBFD["lb2 "+p.Name] = true
	}
	l.run(time.Second)
	for range 3000 {
		l.run(time.Millisecond)
		if lb2.relay > max(l.now, lb1.lease) {
			t.Fatalf("at %v lb2 relays until %v, and the lease of lb1 ends at %v", l.now, lb2.relay, lb1.lease)
		}
	}
	l.wantRoles("Master", "Backup")
}
