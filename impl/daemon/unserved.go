package daemon

import (
	"maps"

	"baton/impl/daemon/config"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// unserved counts replicated entries that this node would not have made: of services, or to
// backends, that its configuration lacks. They are kept, and take hold with their service.
type unserved struct {
	backends map[flow.Service]map[dataplane.Backend]bool
	counts   map[string]uint64 // by reason
}

// Reasons for which a replicated entry is not served as the configuration has it.
const (
	unknownService = "unknown-service"
	unknownBackend = "unknown-backend"
)

// configure notes what the node is configured to balance.
func (u *unserved) configure(cfg *config.Config) {
	u.backends = make(map[flow.Service]map[dataplane.Backend]bool, len(cfg.Services))
	for _, s := range cfg.Dataplane().Services {
		u.backends[s.Service] = make(map[dataplane.Backend]bool, len(s.Backends))
		for _, b := range s.Backends {
			u.backends[s.Service][b] = true
		}
	}
}

// count counts those of entries that the configuration lacks.
func (u *unserved) count(entries []flow.Entry) {
	if u.counts == nil {
		u.counts = map[string]uint64{unknownService: 0, unknownBackend: 0}
	}
	for i := range entries {
		backends, known := u.backends[entries[i].Service()]
		addr, port := entries[i].Backend()
		switch {
		case !known:
			u.counts[unknownService]++
		case !backends[dataplane.Backend{Addr: addr, Port: port}]:
			u.counts[unknownBackend]++
		}
	}
}

func (u *unserved) snapshot() map[string]uint64 { return maps.Clone(u.counts) }
