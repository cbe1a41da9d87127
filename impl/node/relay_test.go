package node_test

import (
	"slices"
	"testing"
	"time"

	"baton/impl/clock"
	. "baton/impl/node"
	"baton/impl/trace"
)

// Packets are sent on from the instant at which the lease ends, and not for ever.
func TestAHandoverRelays(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	lb1 := l.nodes["lb1"]
	var relay clock.Instant
	lb1.onRelease = func() { relay = lb1.relay }
	began := l.now
	l.step(lb1, Handover{})
	if relay != began.Add(RelayLimit) {
		t.Errorf("as the lease ends, packets are sent on until %v, want %v", relay, began.Add(RelayLimit))
	}
	if !slices.ContainsFunc(l.log, func(e trace.Event) bool { return e.Node == "lb1" && e.Lease != nil && e.Lease.Relay == relay }) {
		t.Error("no lease in the trace says that packets are sent on")
	}
	if got := relay.Sub(began); got < YieldLimit+GrantLimit {
		t.Errorf("packets are sent on for %v, and the peer may take the role %v from now", got, YieldLimit+GrantLimit)
	}
	masterWithin(l, "lb2", 20*time.Millisecond)
	if lb1.relay != relay || l.nodes["lb2"].relay != 0 {
		t.Errorf("after the handover lb1 sends packets on until %v and lb2 until %v", lb1.relay, l.nodes["lb2"].relay)
	}
}

// A node that has the role again forwards.
func TestRelayingEndsWithALease(t *testing.T) {
	l := newPair(t)
	l.run(time.Second)
	l.dropSync["lb2"] = true // its acks never arrive
	l.open("lb1", 7)
	l.step(l.nodes["lb1"], Handover{})
	if l.nodes["lb1"].relay == 0 {
		t.Fatal("packets are not sent on")
	}
	masterWithin(l, "lb1", YieldLimit+50*time.Millisecond)
	if got := l.nodes["lb1"].relay; got != 0 {
		t.Errorf("a MASTER sends packets on until %v", got)
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
	l.run(time.Second) // so that nothing else is to be told
	l.step(l.nodes["lb2"], Link{Name: "backend0", Up: true, MAC: MAC{2, 1}})
	l.run(time.Millisecond)
	check(labMAC("lb2", 0), MAC{2, 1})
}

// A peer of an earlier version neither tells its addresses nor takes packets that are sent on.
func TestNoAddressesFromAnEarlierVersion(t *testing.T) {
	l := newPairAt(t, 4)
	l.run(time.Second)
	for id, n := range l.nodes {
		if len(n.peerMACs) > 0 {
			t.Errorf("%s knows the addresses %x", id, n.peerMACs)
		}
	}
}
