package daemon

import (
	"baton/impl/clock"
	"baton/impl/daemon/poller"
)

// monotonic reads CLOCK_MONOTONIC, the clock of the eBPF programs and of traces.
func monotonic() clock.Instant { return poller.Now() }
