package model

import (
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// countPorts counts the SNAT ports in use.
func (d *Dataplane) countPorts() {
	services := make([]dataplane.Service, 0, len(d.configured))
	for _, s := range d.configured { // in any order: the result is by service
		services = append(services, s.Service)
	}
	count := dataplane.NewPortCount(d.cfg.SNATPorts, services)
	for t, c := range d.conns { // in any order: it only counts
		if !t.IsAffinity() {
			count.Add(&c.reply, 1)
		}
	}
	d.portsUsed = count.Of()
}

// PortsUsed implements dataplane.Dataplane.
func (d *Dataplane) PortsUsed() map[flow.Service]dataplane.PortUse { return d.portsUsed }
