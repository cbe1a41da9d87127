package campaign

import (
	"slices"
	"testing"
)

// The shards of a campaign together find what the whole campaign finds: each runs other seeds.
func TestShardsRunEachSeedOnce(t *testing.T) {
	violated := func(shard, shards int) (seeds []uint64) {
		o := Options{Start: 1, Seeds: 20, Shard: shard, Shards: shards, Unsafe: true,
			Violated: func(v Violation) { seeds = append(seeds, v.Seed) }}
		done, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if done.Done != o.Total() {
			t.Fatalf("shard %d of %d ran %d of %d seeds", shard, shards, done.Done, o.Total())
		}
		slices.Sort(seeds)
		return seeds
	}
	const shards = 3
	var parts []uint64
	found := 0 // shards that find something
	for shard := range shards {
		part := violated(shard, shards)
		if len(part) > 0 {
			found++
		}
		parts = append(parts, part...)
	}
	if found < 2 {
		t.Fatalf("violations of seeds %v are of one shard: draw more seeds", parts)
	}
	slices.Sort(parts)
	if whole := violated(0, 1); !slices.Equal(parts, whole) {
		t.Errorf("the shards find violations of seeds %v, the whole campaign %v", parts, whole)
	}
}
