package daemon

import (
	"maps"
	"sync"
)

// failures counts failed calls by name. It is safe for concurrent use.
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

// Names of calls, besides the driver's, in status and metrics.
const (
	callSetMAC     = "mac"        // the dataplane's hardware address
	callServices   = "services"   // writing the dataplane's services
	callFollow     = "follow"     // following the MASTER's decisions
	callWait       = "wait"       // waiting for flow events
	callLinks      = "links"      // subscription to links
	callReopen     = "reopen"     // opening the heartbeat on a link that was made again
	callNeighbours = "neighbours" // requesting and reading neighbour entries
	callChecks     = "checks"     // the process that runs the health checks
	callARPWatch   = "arpwatch"   // receiving ARP, and the hardware addresses of the pair
)
