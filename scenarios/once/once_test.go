package once

import (
	"testing"

	"pgregory.net/rapid"
)

// TestEachNumberIsFirstOnce, whatever the order, as long as it is not far below the highest.
func TestEachNumberIsFirstOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w Window
		seen := map[uint64]bool{}
		highest, at := uint64(0), rapid.Uint64Range(0, 1<<40).Draw(t, "first")
		for range rapid.IntRange(1, 400).Draw(t, "n") {
			at = uint64(max(0, int64(at)+rapid.Int64Range(-50000, 50000).Draw(t, "step")))
			old := len(seen) > 0 && highest >= size && at <= highest-size
			if got, want := w.First(at), !seen[at] && !old; got != want {
				t.Fatalf("First(%d) is %v, want %v; the highest was %d", at, got, want, highest)
			}
			seen[at], highest = true, max(highest, at)
		}
	})
}
