package node

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
)

// TestWhichStreamMayLiveAfterAPause: one that was live before the pause, until the node has read what waited. One on which the
// peer was silent or has said nothing yet, and one that has ended, may not.
func TestWhichStreamMayLiveAfterAPause(t *testing.T) {
	const (
		limit = 100 * time.Millisecond
		began = clock.Instant(time.Second)
		now   = began + clock.Instant(200*time.Millisecond)
		awake = now + clock.Instant(50*time.Millisecond)
	)
	heard := began.Add(-limit / 2)
	for _, test := range []struct {
		name  string
		edit  func(*stream)
		after func(*stream)
		lives bool
	}{
		{"a live stream", nil, nil, true},
		{"silent before the pause", func(s *stream) { s.heard = began.Add(-limit) }, nil, false},
		{"opened before the pause, and nothing said", func(s *stream) { s.spoken = false }, nil, false},
		{"ended in the pause", nil, func(s *stream) { s.lose() }, false},
		{"replaced in the pause", nil, func(s *stream) { s.open(now.Add(-2*limit), 2, versionKeepalive) }, false},
	} {
		s := stream{up: true, spoken: true, version: versionKeepalive, heard: heard}
		if test.edit != nil {
			test.edit(&s)
		}
		s.paused(began, awake, now, limit)
		if test.after != nil {
			test.after(&s)
		}
		if got := s.mayLive(now, s.waits); got != test.lives {
			t.Errorf("%s: may live %v, want %v", test.name, got, test.lives)
		}
		if s.mayLive(awake, s.waits) || s.mayLive(now, s.readBy) {
			t.Errorf("%s: still may live once all that waited is read", test.name)
		}
	}
}

// TestHowLongTheEndOfAStreamLingers: as long as the peer's last keepalive lets it forward by its own intervals, counted from the
// end. A peer that withdrew since the stream began has stopped; an earlier process that withdrew was another.
func TestHowLongTheEndOfAStreamLingers(t *testing.T) {
	const (
		opened  = clock.Instant(time.Second)
		heard   = opened + clock.Instant(10*time.Second)
		ended   = heard + clock.Instant(20*time.Millisecond)
		theirs  = 70 * time.Millisecond
		ours    = 100 * time.Millisecond // two intervals of 50 ms
		silence = clock.Instant(0)
	)
	for _, test := range []struct {
		name     string
		detect   time.Duration
		withdrew clock.Instant // 0: it has not
		edit     func(*stream)
		want     clock.Instant
	}{
		{"by the peer's intervals", theirs, 0, nil, ended.Add(theirs)},
		{"by this node's, from a peer of a version that does not tell its own", 0, 0, func(s *stream) { s.version = versionKeepalive - 1 }, ended.Add(ours)},
		{"silent before the end", theirs, 0, func(s *stream) { s.heard = ended.Add(-theirs) }, silence},
		{"nothing said", theirs, 0, func(s *stream) { s.spoken = false }, silence},
		{"withdrawn before the stream began", theirs, opened - 1, nil, ended.Add(theirs)},
		{"withdrawn between the beginning and the last frame", theirs, heard - 1, nil, silence},
	} {
		n := fullNode(t)
		n.now = ended
		n.peer.state.Detect = test.detect
		n.stream = stream{up: true, spoken: true, version: versionKeepalive, opened: opened, heard: heard}
		if test.edit != nil {
			test.edit(&n.stream)
		}
		if test.withdrew != 0 {
			n.paths[0] = heardPath(t, test.withdrew, &n.stream, bfd.Packet{State: bfd.Down}, bfd.Packet{State: bfd.AdminDown})
		}
		n.outlast()
		if n.stream.lingers != test.want {
			t.Errorf("%s: lingers until %v, want %v", test.name, n.stream.lingers, test.want)
		}
	}
}

// TestNothingIsToldWithoutAStream: the number of a state that was never sent would answer for one that was.
func TestNothingIsToldWithoutAStream(t *testing.T) {
	n := fullNode(t)
	n.Ready()
	sent := n.stream.seq
	n.tell(true)
	for _, e := range n.Ready() {
		if _, ok := e.(SendSync); ok {
			t.Error("a state leaves although no stream is up")
		}
	}
	if n.stream.seq != sent {
		t.Errorf("%d states count as sent", n.stream.seq-sent)
	}
}
