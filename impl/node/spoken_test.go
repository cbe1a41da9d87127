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

// TestALeaseOnTheStreamAloneEndsWithWhatWasSaid: no session is Up, and the peer speaks on the stream. After a pause what is said counts
// once the peer has answered.
func TestALeaseOnTheStreamAloneEndsWithWhatWasSaid(t *testing.T) {
	const now, heard, sent = clock.Instant(time.Second), clock.Instant(980 * time.Millisecond), clock.Instant(990 * time.Millisecond)
	for _, c := range []struct {
		name string
		edit func(*Node)
		want clock.Instant
	}{
		{"it has answered", func(*Node) {}, sent.Add(90 * time.Millisecond)}, // of two intervals of 50 ms
		{"it has not answered since a pause", func(n *Node) { n.peer.confirm = 1 }, heard},
		{"its frames may wait since a pause", func(n *Node) { n.now, n.stream.waits = now.Add(time.Second), now.Add(2*time.Second) }, heard},
		{"it may have closed the stream because of a pause", func(n *Node) { n.stream.up, n.stream.gone = false, now+1 }, heard},
	} {
		n := fullNode(t)
		n.now = now
		n.peer.state.Detect = 100 * time.Millisecond
		n.stream = stream{up: true, spoken: true, version: versionKeepalive, heard: heard, sentAt: sent}
		c.edit(n)
		if f := n.footing(); f.until != c.want || f.lonely {
			t.Errorf("%s: until %v, lonely %v, want %v", c.name, f.until, f.lonely, c.want)
		}
	}
}
