package daemon

import (
	"maps"
	"slices"

	"baton/impl/daemon/config"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// unserved counts replicated entries whose service or backend this node's configuration lacks.
// They are kept, and used once the service is configured.
type unserved struct {
	services   dataplane.Finder
	configured map[flow.Service]dataplane.Service
	counts     map[string]uint64 // by reason
}

// Reasons why a replicated entry does not match the configuration.
const (
	unknownService = "unknown-service"
	unknownBackend = "unknown-backend"
)

// configure stores the configured services.
func (u *unserved) configure(cfg *config.Config) {
	services := cfg.Dataplane().Services
	u.services = *dataplane.FinderOf(services)
	u.configured = make(map[flow.Service]dataplane.Service, len(services))
	for _, s := range services {
		u.configured[s.Service] = s
	}
}

// count counts the entries that do not match.
func (u *unserved) count(entries []flow.Entry) {
	if u.counts == nil {
		u.counts = map[string]uint64{unknownService: 0, unknownBackend: 0}
	}
	for i := range entries {
		s, known := u.configured[u.services.Of(&entries[i].Original)]
		switch {
		case !known:
			u.counts[unknownService]++
		case !slices.Contains(s.Backends, s.BackendOf(&entries[i].Reply)):
			u.counts[unknownBackend]++
		}
	}
}

func (u *unserved) snapshot() map[string]uint64 { return maps.Clone(u.counts) }
