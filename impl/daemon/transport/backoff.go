package transport

import (
	"math/rand/v2"
	"time"
)

// backoff spaces the attempts to get a stream. The first pauses are short, because a
// sync link that comes back should carry the stream at once; attempts that the peer
// refuses, or whose stream ends as soon as it is up, double the pause each time, for
// what they fail on will not go away by itself. Its owner is the dialling goroutine.
type backoff struct {
	first, limit time.Duration
	failures     int // in a row
}

// settled is how long a stream must have stood to count as a success.
const settled = 2 * time.Second

func (b *backoff) failed() { b.failures++ }

func (b *backoff) reset() { b.failures = 0 }

// pause draws the time until the next attempt: between half of what the failures come
// to and all of it, so that two nodes that fail together do not go on together.
func (b *backoff) pause() time.Duration {
	whole := b.first
	for i := 1; i < b.failures && whole < b.limit; i++ {
		whole *= 2
	}
	whole = min(whole, b.limit)
	return whole - time.Duration(rand.Int64N(int64(whole)/2+1))
}
