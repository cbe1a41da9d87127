package daemon

import (
	"testing"

	"pgregory.net/rapid"

	"baton/impl/flow"
)

// TestHeavyFindsTheBusiestSource: the count is exact with a counter per source. With fewer, the
// source is still found if it has more flows than the error bound.
func TestHeavyFindsTheBusiestSource(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counters := rapid.IntRange(1, 8).Draw(t, "counters")
		h, exact := newHeavy(counters), map[flow.Addr]int{}
		sources := rapid.SliceOf(rapid.ByteRange(1, 12)).Draw(t, "flows")
		for _, n := range sources {
			source := flow.IPv4(198, 18, 0, n)
			h.add(source)
			exact[source]++
		}
		if len(h.counts) > counters {
			t.Fatalf("%d sources are counted, with %d counters", len(h.counts), counters)
		}
		for source, n := range exact {
			low := len(sources) / (counters + 1)
			if len(exact) <= counters {
				low = 0
			}
			if got := h.counts[source]; got > n || got < n-low {
				t.Errorf("%v has %d flows, counted %d", source, n, got)
			}
		}
		most, flows := h.most()
		for source, n := range h.counts {
			if n > flows || n == flows && source != most && source.String() < most.String() && len(source.String()) == len(most.String()) {
				t.Errorf("%v with %d flows, not %v with %d", source, n, most, flows)
			}
		}
	})
}
