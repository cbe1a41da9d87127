package bfdio

import (
	"testing"
)

// TestADiscriminatorIsUniqueAndRandom: it is never 0, never one in use, and every bit of it is
// random.
//
// Conformance: RFC 5880 6.8.1/5
func TestADiscriminatorIsUniqueAndRandom(t *testing.T) {
	var set, clear uint32
	taken := map[uint32]bool{}
	for range 1000 {
		var refused uint32
		d := Discriminator(func(d uint32) bool {
			if refused == 0 {
				refused = d // pretend that another session has the first one
			}
			return d == refused || taken[d]
		})
		if d == 0 || d == refused || taken[d] {
			t.Fatalf("drew %d; %d is taken, and so are %d others", d, refused, len(taken))
		}
		taken[d] = true
		set, clear = set|d, clear|^d
	}
	if set&clear != ^uint32(0) {
		t.Errorf("bits %#x are the same in each of %d", ^(set & clear), len(taken))
	}
}
