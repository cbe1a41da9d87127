package campaign_test

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"baton/sim/campaign"
)

// liveHeap returns the bytes of live objects after two collections: pools release their objects only
// at the second.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// liveAtEnd returns the live heap at the end of a campaign, when its worlds are gone: what the
// campaign keeps of its seeds.
func liveAtEnd(t *testing.T, seeds int) int64 {
	var live int64
	p, err := campaign.Run(t.Context(), campaign.Options{Start: 1, Seeds: seeds, Progress: func(p campaign.Progress) {
		if p.Done == p.Total {
			live = liveHeap() // the workers have ended by the last call
		}
	}})
	if err != nil || p.Done != seeds {
		t.Fatalf("%d of %d seeds: %v", p.Done, seeds, err)
	}
	return live
}

// TestMemoryStaysFlat: a campaign keeps nothing of a seed without a violation. kept is the allowance
// per seed; a trace has a megabyte, a plan some ten kilobytes.
func TestMemoryStaysFlat(t *testing.T) {
	const seeds, kept = 30, 2 << 10
	liveAtEnd(t, 2) // warm up
	few, many := liveAtEnd(t, seeds), liveAtEnd(t, 3*seeds)
	t.Logf("live after %d seeds %d KiB, after %d seeds %d KiB", seeds, few>>10, 3*seeds, many>>10)
	if many-few > 2*seeds*kept {
		t.Errorf("%d more seeds keep %d KiB, more than %d bytes each", 2*seeds, (many-few)>>10, kept)
	}
}
