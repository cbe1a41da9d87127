package mutants

import (
	"context"
	"sync"
	"time"
)

// stalls notes when the host stood still: a test that fails meanwhile need not have seen the bug.
type stalls struct {
	mu   sync.Mutex
	last time.Time
}

const (
	// stallNoted is how long nothing ran: two of the intervals at which the nodes of tests send heartbeats.
	stallNoted = 100 * time.Millisecond
	// stallLooks is how often that is looked at.
	stallLooks = 10 * time.Millisecond
)

// watch notes stalls until the context ends.
func (s *stalls) watch(ctx context.Context) {
	looks := time.NewTicker(stallLooks)
	defer looks.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-looks.C:
		}
		now := time.Now()
		s.note(last, now)
		last = now
	}
}

// note takes the times of two looks.
func (s *stalls) note(last, now time.Time) {
	if now.Sub(last) < stallNoted {
		return
	}
	s.mu.Lock()
	s.last = now
	s.mu.Unlock()
}

// since reports whether the host stood still after a time.
func (s *stalls) since(began time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.After(began)
}
