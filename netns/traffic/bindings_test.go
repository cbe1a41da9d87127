package traffic

import (
	"testing"
	"time"

	"baton/impl/clock"
	"pgregory.net/rapid"
)

// TestABoundFlowKeepsItsAddress: after any number of moves a flow has one binding and keeps
// its address, no two flows share a binding, and an abandoned one is free.
func TestABoundFlowKeepsItsAddress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addrs := rapid.IntRange(1, 5).Draw(t, "addrs")
		room := addrs * 40
		flows := rapid.IntRange(1, room).Draw(t, "flows")
		b := newBindings(time.Second, flows, addrs, room)
		at := clock.Instant(1)
		for i := range flows {
			b.send(i, at)
		}
		for _, i := range rapid.SliceOf(rapid.IntRange(0, flows-1)).Draw(t, "moves") {
			before := b.place(i)
			b.send(i, b.of[i].since.Add(time.Second-1))
			if b.place(i) != before {
				t.Fatalf("flow %d has moved before its time", i)
			}
			at = at.Add(time.Second)
			b.send(i, at)
			if after := b.place(i); after%addrs != i%addrs || after >= room || (after == before) != (b.ports == 1) {
				t.Fatalf("flow %d goes from place %d to %d of %d, with %d addresses", i, before, after, room, addrs)
			}
			if _, known := b.flow(before); known && b.place(i) != before {
				t.Fatalf("what comes to place %d is still taken", before)
			}
		}
		taken := map[int]bool{}
		for i := range flows {
			p := b.place(i)
			if got, known := b.flow(p); !known || got != i || taken[p] {
				t.Fatalf("flow %d is at place %d, where flow %d is", i, p, got)
			}
			taken[p] = true
		}
	})
}
