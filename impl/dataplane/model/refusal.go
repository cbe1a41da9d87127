package model

import (
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// countRefused counts a refused flow of a service.
func (d *Dataplane) countRefused(s *service, reason dataplane.Drop) {
	d.refusals[s.Service.Service].Add(reason)
}

// Refused implements dataplane.Dataplane.
func (d *Dataplane) Refused() (map[flow.Service]dataplane.Refusals, error) {
	all := make(map[flow.Service]dataplane.Refusals, len(d.refusals))
	for s, r := range d.refusals {
		all[s] = *r
	}
	return all, nil
}

// countFor keeps the counts of remaining services, and starts those of new ones.
func (d *Dataplane) countFor(services []dataplane.Service) {
	were := d.refusals
	d.refusals = make(map[flow.Service]*dataplane.Refusals, len(services))
	for _, s := range services {
		if d.refusals[s.Service] = were[s.Service]; were[s.Service] == nil {
			d.refusals[s.Service] = &dataplane.Refusals{}
		}
	}
}
