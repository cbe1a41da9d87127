package transport

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestPausesDoubleUpToTheirLimit: each pause is drawn from the upper half of the backoff.
func TestPausesDoubleUpToTheirLimit(t *testing.T) {
	b := backoff{first: 50 * time.Millisecond, limit: 5 * time.Second}
	for failures, whole := range map[int]time.Duration{0: 50, 1: 50, 2: 100, 3: 200, 7: 3200, 8: 5000, 1000: 5000} {
		whole *= time.Millisecond
		b.failures = failures
		drawn := map[time.Duration]bool{}
		for range 100 {
			p := b.pause()
			if drawn[p] = true; p < whole/2 || p > whole {
				t.Errorf("%d failures: a pause of %v, want %v to %v", failures, p, whole/2, whole)
			}
		}
		if len(drawn) < 10 {
			t.Errorf("%d failures: %d pauses in 100 draws", failures, len(drawn))
		}
	}
}

// refusing is a Handler that resets each stream as soon as it is up, as a node does whose
// peer has another protocol version.
type refusing struct {
	*recorder
	reset func(id uint64, why string)
}

func (r refusing) StreamUp(id uint64, protocol string) {
	r.recorder.StreamUp(id, protocol)
	r.reset(id, "mark: protocol version 2, this node speaks 1")
}

// TestARefusedStreamIsTriedEverLessOften: both ends log the reason, in few lines.
func TestARefusedStreamIsTriedEverLessOften(t *testing.T) {
	d, l := configs(t)
	at := refusing{recorder: newRecorder()}
	said := newLog()
	l.Log = slog.New(slog.NewTextHandler(said, nil))
	listener, err := New(l, &at)
	if err != nil {
		t.Fatal(err)
	}
	at.reset = listener.Reset
	run(t, listener)
	dialler := start(t, d)
	began := time.Now()
	const tries = 7
	dialler.waitFor(t, "down", tries)
	// 5 ms doubled six times, each pause at least half of what it may be.
	if took, least := time.Since(began), 150*time.Millisecond; took < least {
		t.Errorf("%d streams in %v, want them to take %v at least", tries, took, least)
	}
	const why = "protocol version 2, this node speaks 1"
	s := dialler.Status()
	if s.Last.Cause != EndedByPeer || !strings.Contains(s.Last.Why, why) || s.Failures < tries || s.Ends[EndedByPeer] < tries {
		t.Errorf("status of the dialling end: %+v", s)
	}
	if s := listener.Status(); s.Last.Cause != EndedHere || s.Failures < tries-1 || !strings.Contains(s.Last.Why, why) {
		t.Errorf("status of the refusing end: %+v", s)
	}
	for end, log := range map[string]*log{"dialling": dialler.log, "refusing": said} {
		if n := strings.Count(log.String(), why); n != 1 {
			t.Errorf("the %s end names the reason in %d lines, want 1:\n%s", end, n, log)
		}
	}
}

// TestALostStreamIsBackAtOnce: only refusals lengthen the pauses.
func TestALostStreamIsBackAtOnce(t *testing.T) {
	b := backoff{first: 5 * time.Millisecond, limit: time.Hour, failures: 30}
	d, _ := configs(t)
	d.Log = slog.New(slog.DiscardHandler)
	dialler, err := New(d, newRecorder())
	if err != nil {
		t.Fatal(err)
	}
	dialler.attempt(t.Context(), &b) // nobody listens
	if b.failures != 0 || dialler.Status().Last.Cause != Unreachable {
		t.Errorf("a peer that cannot be reached counts as %d refusals, %+v", b.failures, dialler.Status())
	}
}
