package node

import (
	"testing"
	"time"

	"baton/impl/clock"
)

// A short pause does not shorten the listening time that an earlier long pause requires: the node listens for the rest.
func TestAShortPauseLeavesTheListeningOfALongOne(t *testing.T) {
	const ms = time.Millisecond
	var l listening
	now := clock.Instant(time.Second)
	if rest := l.paused(now, 100*ms, 0, 100*ms, 15*ms); rest != 100*ms {
		t.Errorf("after a pause of 100ms it listens for %v", rest)
	}
	now = now.Add(30 * ms) // it ran for 10 ms
	if rest := l.paused(now, 20*ms, 0, 20*ms, 15*ms); rest != 90*ms {
		t.Errorf("after 10ms, and a pause of 20ms, it listens for %v, want 90ms", rest)
	}
}
