package daemon

import (
	"baton/impl/flow"
)

// name finds the source with the most flows of each service that has run out of SNAT ports,
// and logs it.
func (s *scans) name(l *loop, services []flow.Service) {
	s.queue(l, func() func() {
		sources := make(map[flow.Service]*heavy, len(services))
		for _, service := range services {
			sources[service] = newHeavy(heavyCounters)
		}
		err := s.read(l, func(e flow.Entry) {
			if h := sources[e.Service()]; h != nil && !e.Original.IsAffinity() {
				h.add(e.Original.Src)
			}
		})
		return func() {
			if err != nil { // the service is still without ports a few seconds later, or all is well
				l.log.Warn("SNAT ports are used up; sources not counted", "error", err)
				return
			}
			for _, service := range services {
				source, flows := sources[service].most()
				use := l.refusals.name(service, busiest{source, flows})
				l.log.Warn("SNAT ports are used up", "service", service, "backend", use.Backend.Addr.WithPort(use.Backend.Port), "used", use.Used, "ports", use.Ports,
					"source", source, "flows", flows)
			}
		}
	})
}
