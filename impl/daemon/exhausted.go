package daemon

import (
	"baton/impl/flow"
)

// name finds and logs the source with the most flows of each service that refuses new flows for
// lack of SNAT ports or because of a limit.
func (s *scans) name(l *loop, services []flow.Service) {
	known := l.unserved.services
	s.queue(l, func() func() {
		sources := make(map[flow.Service]*heavy, len(services))
		for _, service := range services {
			sources[service] = newHeavy(heavyCounters)
		}
		err := s.read(l, func(e flow.Entry) {
			if h := sources[known.Of(&e.Original)]; h != nil && !e.Original.IsAffinity() {
				h.add(e.Original.Src)
			}
		})
		return func() {
			if err != nil { // the next refused flows ask again
				l.log.Warn("new flows are refused; their sources are not counted", "error", err)
				return
			}
			for _, service := range services {
				source, flows := sources[service].most()
				refused, use := l.refusals.name(service, busiest{source, flows})
				l.log.Warn("new flows are refused", "service", service, "no_port", refused.NoPort, "source_limit", refused.SourceLimit, "service_limit", refused.ServiceLimit,
					"snat_ports_used", use.Used, "snat_ports", use.Ports, "source", source, "flows", flows)
			}
		}
	})
}
