package campaign

import "runtime/debug"

// A world allocates a few megabytes and is garbage half a second later. With a high GC percentage
// collections are rare; the memory limit bounds the heap when many worlds run at once.
const (
	gcPercent   = 400
	memoryLimit = 400 << 20
)

// TuneMemory tunes the garbage collector of a process that only runs campaigns.
func TuneMemory() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
}
