package daemon

import (
	"maps"

	"baton/impl/daemon/config"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// unserved counts replicated entries that this node would not have made, because its
// configuration lacks their service or backend. They are kept, and used once the service is
// configured.
type unserved struct {
	backends map[flow.Service]map[dataplane.Backend]bool
	counts   map[string]uint64 // by reason
}

// Reasons why a replicated entry does not match the configuration.
const (
	unknownService = "unknown-service"
	unknownBackend = "unknown-backend"
)

// configure stores the configured services.
func (u *unserved) configure(cfg *config.Config) {
	u.backends = make(map[flow.Service]map[dataplane.Backend]bool, len(cfg.Services))
	for _, s := range cfg.Dataplane().Services {
		u.backends[s.Service] = make(map[dataplane.Backend]bool, len(s.Backends))
		for _, b := range s.Backends {
			u.backends[s.Service][b] = true
		}
	}
}

// count counts the entries that do not match.
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
