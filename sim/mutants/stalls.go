package mutants

import (
	"context"
	"sync"
	"time"
)

// stalls records when the host last stalled. A test that fails during a stall may not have found
// the bug.
type stalls struct {
	mu   sync.Mutex
	last time.Time // end of the last stall
}

const (
	// stallMin is the shortest stall: two heartbeat intervals of the nodes in tests.
	stallMin = 100 * time.Millisecond
	// stallPoll is the interval at which watch reads the clock.
	stallPoll = 10 * time.Millisecond
)

// watch records stalls until the context ends.
func (s *stalls) watch(ctx context.Context) {
	poll := time.NewTicker(stallPoll)
	defer poll.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		now := time.Now()
		s.note(last, now)
		last = now
	}
}

// note records a stall if the time between two readings of the clock is too long.
func (s *stalls) note(last, now time.Time) {
	if now.Sub(last) < stallMin {
		return
	}
	s.mu.Lock()
	s.last = now
	s.mu.Unlock()
}

// since reports whether a stall ended after a time.
func (s *stalls) since(began time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.After(began)
}
