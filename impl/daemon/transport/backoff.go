package transport

import (
	"math/rand/v2"
	"time"
)

// backoff spaces the attempts to establish a stream. The first pauses are short, because a
// repaired sync link should carry the stream at once. Attempts that the peer refuses, and
// streams that end as soon as they are up, double the pause each time, because their cause
// will not go away by itself. It belongs to the dialling goroutine.
type backoff struct {
	first, limit time.Duration
	failures     int // consecutive
}

// settled is how long a stream must last to count as a success.
const settled = 2 * time.Second

func (b *backoff) failed() { b.failures++ }

func (b *backoff) reset() { b.failures = 0 }

// pause draws the time until the next attempt: between half and all of the backoff, so that
// two nodes that fail together do not retry together.
func (b *backoff) pause() time.Duration {
	whole := b.first
	for i := 1; i < b.failures && whole < b.limit; i++ {
		whole *= 2
	}
	whole = min(whole, b.limit)
	return whole - time.Duration(rand.Int64N(int64(whole)/2+1))
}
