package node

import (
	"testing"
	"time"

	"baton/impl/bfd"
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

// TestWhatEndsTheSumOfListening: a pause after which nothing is known of the time before is listened for in full, and for no longer
// than it needs.
func TestWhatEndsTheSumOfListening(t *testing.T) {
	const ms = time.Millisecond
	second := clock.Instant(time.Second)
	for _, c := range []struct {
		what        string
		edit        func(*listening)
		heard       clock.Instant
		pause, want time.Duration
	}{
		{"another pause", nil, 0, 30 * ms, 60 * ms},
		{"the peer was heard", nil, second, 30 * ms, 30 * ms},
		{"the time has passed", func(l *listening) { l.over = true }, 0, 30 * ms, 30 * ms},
		{"the peer may have booted and claimed", nil, 0, bootListen, bootListen},
	} {
		var l listening
		l.paused(second, 100*ms, 0, 100*ms, 15*ms)
		if c.edit != nil {
			c.edit(&l)
		}
		ran := second.Add(40 * ms)
		if rest := l.paused(ran.Add(c.pause), c.pause, c.heard, c.pause, 15*ms); rest != c.want {
			t.Errorf("%s: it listens for %v, want %v", c.what, rest, c.want)
		}
		if l.over {
			t.Errorf("%s: the time counts as passed, although it has just begun", c.what)
		}
	}
}

// TestAPeerWasLastHeardOnAnyPathOrTheStream: either shows that it lived.
func TestAPeerWasLastHeardOnAnyPathOrTheStream(t *testing.T) {
	for _, c := range []struct{ path, stream, want clock.Instant }{{500, 300, 500}, {300, 500, 500}} {
		n := fullNode(t)
		n.stream.heard = c.stream
		n.paths[0] = heardPath(t, c.path, &n.stream, bfd.Packet{State: bfd.Down})
		if got := n.lastHeard(); got != c.want {
			t.Errorf("on a path at %v, on the stream at %v: last heard at %v", c.path, c.stream, got)
		}
	}
}
