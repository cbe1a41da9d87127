package campaign

import "runtime/debug"

// A world allocates a few megabytes and is garbage half a second later: a heap
// that may grow to several times what is live is collected seldom. The limit holds
// where many worlds run at once.
const (
	gcPercent   = 400
	memoryLimit = 400 << 20
)

// TuneMemory sets the garbage collector for a process that runs campaigns and
// nothing else.
func TuneMemory() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
}
