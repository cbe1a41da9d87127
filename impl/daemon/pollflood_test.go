package daemon

import (
	"fmt"
	"testing"
	"time"

	"baton/impl/daemon/control"
)

// TestAFloodOfPolls: a hundred thousand Polls a second from the peer's address, to a node
// without authentication, cause no more Finals than the limit allows and take no session
// down.
func TestAFloodOfPolls(t *testing.T) {
	p := newPair(t)
	for _, n := range p.nodes {
		n.withoutSecret(t)
	}
	p.start(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	answering := func() control.Status {
		return lb1.waitStatus(t, "with every path up", everyPathUp)
	}
	before, used, began := answering(), cpuTime(t, lb1), time.Now()
	const packets = 2 * forgeRate
	path := lb1.BFD.Paths[0]
	lasted := runForger(t, lb2, fmt.Sprintf("%s %v %v %d %s", path.Link, path.Peer, path.Local, packets, forgePolls))
	used = cpuTime(t, lb1) - used
	after := lb1.waitStatus(t, "answering", func(control.Status) bool { return true })
	took := time.Since(began)

	stats, was := after.Paths[0].Stats, before.Paths[0].Stats
	// Per interval: two Finals by the limit, and 4/3 of the node's own packets.
	most := uint64(took/time.Duration(lb1.BFD.TX))*4 + 20
	t.Logf("%d Polls in %v, %.0f a second: %d taken, %d packets sent in %v; the node used %v, %.1f %% of a core",
		packets, lasted.Round(time.Millisecond), packets/lasted.Seconds(), stats.Received-was.Received, stats.Sent-was.Sent, took.Round(time.Millisecond),
		used, 100*float64(used)/float64(lasted))
	if sent := stats.Sent - was.Sent; sent > most {
		t.Errorf("%d packets were sent in %v, want at most %d", sent, took, most)
	}
	if stats.Received-was.Received < packets/10 {
		t.Errorf("%d of %d Polls were taken: the test shows nothing", stats.Received-was.Received, packets)
	}
	if stats.Downs != was.Downs {
		lb2.skipIfStalled(t, lb2.waitStatus(t, "answering", func(control.Status) bool { return true }))
		t.Errorf("the session went down %d times", stats.Downs-was.Downs)
	}
}
