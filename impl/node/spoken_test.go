package node

import (
	"testing"
	"time"

	"baton/impl/clock"
)

// TestALeaseDoesNotOutlastWhatWasSaidOnTheStream: a peer that speaks on the stream is alive, but it may not
// doubt only because it hears this node on the stream. So sent BFD packets justify no longer lease than the
// stream does.
func TestALeaseDoesNotOutlastWhatWasSaidOnTheStream(t *testing.T) {
	ms := func(n int) clock.Instant { return clock.Instant(time.Duration(n) * time.Millisecond) }
	for _, c := range []struct {
		name                string
		heard, spoken, want clock.Instant
		trusting            bool
	}{
		{"proven, before the decision", ms(50), ms(40), ms(50), false},
		{"no stream: the peer may be dead", ms(50), 0, ms(135), true},
		{"a stream that speaks", ms(50), ms(90), ms(90), true},
		{"a proof that is later than the stream", ms(120), ms(90), ms(120), true},
		{"a stream that allows more than the packets that were sent", ms(50), ms(200), ms(135), true},
	} {
		l := lease{held: true, trusting: c.trusting}
		if got := l.justified(footing{until: ms(135), proof: proof{heard: c.heard}, spoken: c.spoken}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
