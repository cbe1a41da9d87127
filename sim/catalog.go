package sim

import (
	"fmt"

	"baton/impl/catalog"
)

// catalog returns the digests of the daemon's service configuration.
func (p *process) catalog() catalog.Catalog {
	services := make([]catalog.Service, len(p.tables.Services))
	for i, s := range p.tables.Services {
		services[i] = catalog.Of(s.Name, [catalog.Parts]string{
			catalog.Address: s.Service.String(), catalog.Mode: s.Mode.String(), catalog.Balance: s.Balance.String(),
			catalog.SNAT: fmt.Sprint(s.SNATs()), catalog.Backends: fmt.Sprint(s.Backends),
			catalog.Affinity: s.Affinity.String(), catalog.Limits: s.Limits.String(),
		})
	}
	return catalog.New(services)
}
