package ctsync

import (
	"math"
	"math/bits"
	"time"
)

// Config configures an Engine. Zero fields mean the defaults named here.
type Config struct {
	// Incarnation distinguishes this run of the node from every earlier one. It
	// differs at each start and is never 0.
	Incarnation uint64

	// Key is part of every hash of a tuple. It must be equal on both nodes, and
	// should be unknown to clients, who could otherwise choose colliding tuples.
	Key uint64

	// BatchEntries is the maximum number of changes or rows in a message.
	// Default 256, at most 512.
	BatchEntries int

	// Window is how many batches may be in flight without an ack, separately for
	// deltas (counted as Window×BatchEntries changes) and for rows. It is also the
	// maximum that one Ready produces. Default 32.
	Window int

	// JournalLen is how many changes the source remembers for a sink that lags or
	// reconnects; a sink that lacks more gets a snapshot. A change takes 84 bytes.
	// Default 131072.
	JournalLen int

	// Buckets is the number of buckets of the table, a power of two from 64 to
	// 4096, equal on both nodes. Default 1024.
	Buckets int

	// LagLimit is how many changes a sink in sync may be behind. Default 4096.
	LagLimit uint64

	// DigestEvery is the interval at which digests are compared on a stream that is
	// in sync. Default 5 s.
	DigestEvery time.Duration

	// Capacity is how many flows this node's dataplane can hold; 0 means unknown. It
	// is sent to the peer, so that both can warn of tables of different sizes.
	Capacity int

	// Retry is the delay before a failed batch is applied again. It doubles with each
	// failure of the batch, up to RetryMax. Defaults 50 ms and 2 s.
	Retry, RetryMax time.Duration

	// Resync is the time after which an unanswered hello is repeated, and the delay
	// before the sink asks for a new snapshot after failed repairs. Default 1 s.
	Resync time.Duration

	// Withhold turns offers off: a sink deletes what its source lacks. Unsafe: it
	// reproduces the historical bug.
	Withhold bool
}

const (
	maxBatch   = 1024 // maximum accepted in a message
	batchLimit = 512  // maximum sent: as many IPv6 rows fit
	minBuckets = 64
	maxBuckets = 4096
)

// withDefaults fills in zero fields and limits the others to their ranges.
func (c Config) withDefaults() Config {
	setDefault(&c.BatchEntries, 256)
	setDefault(&c.Window, 32)
	setDefault(&c.JournalLen, 1<<17)
	setDefault(&c.Buckets, 1024)
	setDefault(&c.LagLimit, 4096)
	setDefault(&c.DigestEvery, 5*time.Second)
	setDefault(&c.Retry, 50*time.Millisecond)
	setDefault(&c.RetryMax, 2*time.Second)
	setDefault(&c.Resync, time.Second)
	c.BatchEntries = min(max(c.BatchEntries, 1), batchLimit)
	c.Window = min(max(c.Window, 1), 1<<12)
	c.JournalLen = max(c.JournalLen, 1)
	c.Capacity = min(max(c.Capacity, 0), math.MaxUint32)
	c.Buckets = 1 << bits.Len(uint(min(max(c.Buckets, minBuckets), maxBuckets)-1))
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
