package driver

import (
	"slices"
	"testing"

	"baton/impl/node"
)

// TestAHeartbeatWaitsForNoNeighbour: each path broadcasts it while the peer's hardware
// address is unknown there.
func TestAHeartbeatWaitsForNoNeighbour(t *testing.T) {
	b := newBench(t)
	both := func() {
		b.CarryOut(&node.SendBFD{Path: 0}, &node.SendBFD{Path: 1})
	}
	both()
	b.Resolved(1, true)
	both()
	b.Resolved(0, true)
	both()
	b.Driver = b.Clone(b.core, b)
	b.Resolved(1, false)
	both()
	want := []string{"broadcast", "broadcast", "broadcast", "send", "send", "send", "send", "broadcast"}
	if !slices.Equal(b.calls, want) {
		t.Errorf("sent %v, want %v", b.calls, want)
	}
}
