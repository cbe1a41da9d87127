package driver

import (
	"slices"
	"testing"

	"baton/impl/node"
)

// TestAHeartbeatWaitsForNoNeighbour: it is broadcast on each path until the peer's hardware
// address is known there, and again once it is known no more.
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
