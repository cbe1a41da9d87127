package sim

import (
	"testing"
	"time"

	"baton/impl/driver"
)

// TestHeartbeatsWaitForTheirNeighbour: without the peer's hardware address the kernel sends ARP
// requests, queues a few packets and sends them on the answer. A request also teaches the peer the
// requester's address.
func TestHeartbeatsWaitForTheirNeighbour(t *testing.T) {
	o := settled(t)
	p, other := o.processes[0], o.processes[1]
	const path = 0
	p.peers[path], other.peers[path] = peerEntry{}, peerEntry{}
	for i := range arpQueue + 2 {
		if err := (*ports)(p).SendBFD(path, driver.Unicast, []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	e := &p.peers[path]
	if e.known || !e.asking || len(e.waiting) != arpQueue || e.waiting[0][0] != 0 || e.waiting[arpQueue-1][0] != arpQueue-1 {
		t.Fatalf("known %v, asking %v, %d packets wait; want the first %d", e.known, e.asking, len(e.waiting), arpQueue)
	}
	o.pass(t, 10*time.Millisecond)
	if !p.peers[path].known || p.peers[path].asking || len(p.peers[path].waiting) != 0 || !other.peers[path].known {
		t.Errorf("after the answer: %+v, and the other %+v", p.peers[path], other.peers[path])
	}
}

// TestANeighbourIsAskedForUntilItAnswers: a request goes out each second; after some requests without
// an answer the queued packets are dropped.
func TestANeighbourIsAskedForUntilItAnswers(t *testing.T) {
	o := settled(t)
	p, other := o.processes[0], o.processes[1]
	const path = 0
	other.powered = false
	p.peers[path] = peerEntry{}
	if err := (*ports)(p).SendBFD(path, driver.Unicast, []byte{1}); err != nil {
		t.Fatal(err)
	}
	o.pass(t, (arpTries-1)*arpRetry+arpRetry/2)
	if e := &p.peers[path]; e.known || !e.asking || e.tries != arpTries || len(e.waiting) == 0 {
		t.Fatalf("after %d requests: %+v", arpTries, e)
	}
	before := p.peers[path].waiting[0]
	o.pass(t, arpRetry)
	if e := &p.peers[path]; !e.asking || e.tries != 1 || len(e.waiting) > 0 && &e.waiting[0][0] == &before[0] {
		t.Errorf("after more: %+v, want it to begin anew without what has waited", e)
	}
	other.powered = true
	if o.pass(t, arpRetry+10*time.Millisecond); !p.peers[path].known {
		t.Error("the neighbour is back, and not found")
	}
}

// TestACarrierTakesTheNeighbourWithIt: a lost carrier drops the neighbour entries of both ends of the
// sync cable, but only of one end on a switched link.
func TestACarrierTakesTheNeighbourWithIt(t *testing.T) {
	for _, link := range []uint8{onClients, onSync} {
		o := settled(t)
		o.forgetPeers(link, 0)
		for i, p := range o.processes {
			for path, on := range pathLinks {
				want := on == link && (i == 0 || link == onSync)
				if forgotten := !p.peers[path].known; forgotten != want {
					t.Errorf("carrier of lb1 on link %d: lb%d has forgotten its peer on link %d: %v", link, i+1, on, forgotten)
				}
			}
		}
		if o.pass(t, 10*time.Millisecond); !o.processes[0].peers[0].known {
			t.Errorf("link %d: the neighbour is not asked for again", link)
		}
	}
}
