package daemon

import (
	"maps"
	"sync"
)

// failures counts the calls that failed, by their names. Every goroutine of the daemon may
// add to it.
type failures struct {
	mu     sync.Mutex
	counts map[string]uint64
}

func (f *failures) add(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = map[string]uint64{}
	}
	f.counts[call]++
}

func (f *failures) snapshot() map[string]uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.counts)
}

// Names of calls besides those of the driver, as status and metrics have them.
const (
	callSetMAC     = "mac"        // the dataplane's hardware address
	callServices   = "services"   // the dataplane's, at a reload
	callWait       = "wait"       // for flow events
	callLinks      = "links"      // subscription to links
	callNeighbours = "neighbours" // requests for neighbour entries, and what is read of them
	callARPWatch   = "arpwatch"   // receiving ARP, and the hardware addresses of the pair
)
