package ctsync

import (
	"math"
	"math/bits"
	"time"
)

// Config is what an Engine must know before it starts. Zero fields take the
// defaults named here.
type Config struct {
	// Incarnation tells this run of the node from every earlier one; it is drawn
	// anew at each start and never 0.
	Incarnation uint64

	// Key enters every hash of a tuple. It must be the same on both nodes, and
	// should be unknown to clients: who knows it can choose tuples that collide.
	Key uint64

	// BatchEntries is how many changes or rows one message carries at most.
	// Default 256, at most 512.
	BatchEntries int

	// Window is how many batches may be on their way without an ack: of deltas
	// (counted as Window×BatchEntries changes) and, apart from them, of rows. It is
	// also the most that one Ready produces. Default 32.
	Window int

	// JournalLen is how many changes the source remembers for a sink that lags or
	// reconnects; beyond it a snapshot is due. 84 bytes each. Default 131072.
	JournalLen int

	// Buckets is the number of digests that the table is divided into, a power of
	// two from 64 to 4096, the same on both nodes. Default 1024.
	Buckets int

	// LagLimit is how many changes a sink may be behind and still be in sync.
	// Default 4096.
	LagLimit uint64

	// DigestEvery is the interval at which the source has the digests compared on a
	// stream that is in sync. Default 5 s.
	DigestEvery time.Duration

	// Capacity is how many flows this node's dataplane can hold; 0 is unknown. It is
	// told to the peer, so that a table smaller than the other is warned of.
	Capacity int

	// Retry is the delay before a failed batch is applied again. It doubles with each
	// failure of the batch, up to RetryMax. Defaults 50 ms and 2 s.
	Retry, RetryMax time.Duration

	// Resync is how long an unanswered hello waits before it is repeated, and how
	// long the sink waits before it asks for a new snapshot when repair has failed.
	// Default 1 s.
	Resync time.Duration

	// Withhold turns offers off: a sink deletes what its source lacks. Unsafe: it
	// reproduces the historical bug.
	Withhold bool
}

const (
	maxBatch   = 1024 // most changes or rows accepted in a message
	batchLimit = 512  // most that are sent: as many IPv6 rows fit
	minBuckets = 64
	maxBuckets = 4096
)

// withDefaults fills in what is zero and brings what is out of range into it.
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
