package plan

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

// A sample of a line's idle flows gets periodic requests, which shows lost flows without sending
// requests on all of them.
const (
	DefaultSample      = 300         // flows of a line, or all if it has fewer
	DefaultSampleEvery = time.Second // between two requests of one of them
	maxSample          = 10_000
)

// SampleSize is the number of flows in the line's sample.
func (t Traffic) SampleSize() int {
	if t.Sample > 0 {
		return min(t.Sample, t.Count)
	}
	return min(DefaultSample, t.Count)
}

// SampleEvery is the time between two requests of one flow of the sample.
func (t Traffic) SampleEvery() time.Duration {
	if t.Every > 0 {
		return t.Every
	}
	return DefaultSampleEvery
}

// Sampled draws the sample by the seed of a run: sorted numbers of flows of the line. Both worlds
// draw the same.
func (t Traffic) Sampled(seed uint64) []int {
	name := fnv.New64a()
	_, _ = name.Write([]byte(t.Name)) // never fails
	draw := rand.New(rand.NewPCG(seed, name.Sum64()))
	size := t.SampleSize()
	taken := make(map[int]bool, size)
	numbers := make([]int, 0, size)
	for top := t.Count - size; top < t.Count; top++ { // Floyd's algorithm
		n := draw.IntN(top + 1)
		if taken[n] {
			n = top
		}
		taken[n] = true
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers
}
