package main

import (
	"testing"
	"time"

	"baton/impl/node"
)

// TestEveryEndOfADeferredReplyHasItsWord: each count of a status is shown with its description.
func TestEveryEndOfADeferredReplyHasItsWord(t *testing.T) {
	d := node.DeferStatus{Limit: 5 * time.Millisecond, DeferStats: node.DeferStats{Acked: 2, TimedOut: 3, NoPeer: 4, Full: 5, Dropped: 6, Waited: 3 * time.Millisecond}}
	const want = "2 acked after 1.5ms on average, 3 timed out after 5ms, 4 without a peer in sync, 5 too many, 6 dropped"
	if got := deferNote(d); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
