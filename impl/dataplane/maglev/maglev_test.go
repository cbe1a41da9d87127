package maglev

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func names(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("198.18.1.%d:80", i+11))
	}
	return out
}

func shares(table []int, n int) []int {
	counts := make([]int, n)
	for _, i := range table {
		counts[i]++
	}
	return counts
}

// Names take turns, so shares differ by at most the one slot of the last, incomplete round.
func TestBalance(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 50, 160} {
		counts := shares(Table(names(n), nil, DefaultSize), n)
		if least, most := slices.Min(counts), slices.Max(counts); most-least > 1 {
			t.Errorf("%d backends: shares from %d to %d, want them within 1", n, least, most)
		}
	}
}

// Besides the slots of the removed backend few may move (the paper, section 5.3, measures
// some percent).
func TestMinimalDisruption(t *testing.T) {
	for _, n := range []int{2, 3, 10, 50} {
		all := names(n)
		before := Table(all, nil, DefaultSize)
		for gone := range all {
			rest := slices.Delete(slices.Clone(all), gone, gone+1)
			after := Table(rest, nil, DefaultSize)
			moved := 0
			for slot := range before {
				if before[slot] != gone && all[before[slot]] != rest2name(rest, after, slot) {
					moved++
				}
			}
			if limit := DefaultSize * 5 / 100; moved > limit {
				t.Errorf("%d backends, %s left: %d of %d other slots moved, want at most %d",
					n, all[gone], moved, DefaultSize, limit)
			}
		}
	}
}

func rest2name(rest []string, table []int, slot int) string { return rest[table[slot]] }

// Two nodes whose configurations list the backends in different order choose alike.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := names(rapid.IntRange(1, 20).Draw(t, "n"))
		mixed := rapid.Permutation(all).Draw(t, "mixed")
		a, b := Table(all, nil, 211), Table(mixed, nil, 211)
		for slot := range a {
			if all[a[slot]] != mixed[b[slot]] {
				t.Fatalf("slot %d: %s in one order, %s in another", slot, all[a[slot]], mixed[b[slot]])
			}
		}
	})
}

func TestNoNames(t *testing.T) {
	if got := Table(nil, nil, DefaultSize); got != nil {
		t.Errorf("table of no names has %d slots, want none", len(got))
	}
}

func BenchmarkTable(b *testing.B) {
	for _, n := range []int{2, 160} {
		b.Run(fmt.Sprintf("backends=%d", n), func(b *testing.B) {
			all := names(n)
			for b.Loop() {
				Table(all, nil, DefaultSize)
			}
		})
	}
}
