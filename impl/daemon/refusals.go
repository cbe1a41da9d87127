package daemon

import (
	"fmt"
	"sync"
	"time"

	"baton/impl/daemon/control"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// refusals counts the new flows that the dataplane has refused, by service.
type refusals struct {
	mu   sync.Mutex
	seen map[string]refused // by protocol, VIP and port
	used map[string]dataplane.PortUse
	// tell is called with each count's growth since the previous counts.
	tell func(service flow.Service, why dataplane.Drop, count uint64)
}

// refused counts the refused flows of one service.
type refused struct {
	dataplane.Refusals
	port, table time.Time // last refusal because no SNAT port was free, and because the table was full
	limit       time.Time // last refusal by a limit
	challenge   time.Time // last challenge
	named       time.Time // when the source with the most flows was last looked for
	most        busiest   // what was found
}

// busiest is the source with the most flows of a service.
type busiest struct {
	source flow.Addr
	flows  int
}

// namedEvery is the interval at which a service's flows are counted by source while it has no free SNAT
// port or is at a limit.
const namedEvery = 10 * time.Second

// note stores the dataplane's current counts. They start again when a service is
// re-created. It returns the services that have run out of SNAT ports or have reached a limit,
// and whose flows should be counted by source.
func (r *refusals) note(counts map[flow.Service]dataplane.Refusals, used map[flow.Service]dataplane.PortUse, now time.Time) (exhausted []flow.Service) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.seen
	r.used = make(map[string]dataplane.PortUse, len(used))
	for service, use := range used {
		r.used[service.String()] = use
	}
	r.seen = make(map[string]refused, len(counts))
	for service, n := range counts {
		is := was[service.String()]
		if r.tell != nil && was != nil { // the first counts may be those of an earlier process
			n.Since(is.Refusals, func(why dataplane.Drop, count uint64) { r.tell(service, why, count) })
		}
		if n.NoPort > is.NoPort {
			is.port = now
		}
		if n.ServiceLimit+n.SourceLimit > is.ServiceLimit+is.SourceLimit {
			is.limit = now
		}
		if n.Challenged > is.Challenged {
			is.challenge = now
		}
		if (is.port == now || is.limit == now) && now.Sub(is.named) >= namedEvery {
			is.named = now
			exhausted = append(exhausted, service)
		}
		if n.TableFull > is.TableFull {
			is.table = now
		}
		is.Refusals = n
		r.seen[service.String()] = is
	}
	return exhausted
}

// name stores the source with the most flows of a service, and returns what is counted of it.
func (r *refusals) name(service flow.Service, most busiest) (dataplane.Refusals, dataplane.PortUse) {
	r.mu.Lock()
	defer r.mu.Unlock()
	is, known := r.seen[service.String()]
	if known {
		is.most = most
		r.seen[service.String()] = is
	}
	return is.Refusals, r.used[service.String()]
}

// String names the source in an alarm.
func (b busiest) String() string {
	if b.flows == 0 {
		return ""
	}
	return fmt.Sprintf(", and %v has the most flows, %d", b.source, b.flows)
}

// describe adds the counts to the services of a status, and an alarm while flows are
// refused and for a minute afterwards.
func (r *refusals) describe(s *control.Status, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range s.Services {
		service := &s.Services[i]
		if use, ok := r.used[service.At]; ok {
			service.Ports = &control.PortUse{Backend: use.Backend.Addr.WithPort(use.Backend.Port).String(), Used: use.Used, Ports: use.Ports}
		}
		is, known := r.seen[service.At]
		if !known {
			continue
		}
		service.Refused = is.ByReason()
		if now.Sub(is.port) < alarmFor {
			s.Alarms = append(s.Alarms, fmt.Sprintf("service %s: %d new flows found no free SNAT port%s: add addresses to snat_pool, widen snat_ports, or add backends",
				service.Name, is.NoPort, is.most))
		}
		if now.Sub(is.limit) < alarmFor {
			s.Alarms = append(s.Alarms, fmt.Sprintf("service %s: %d new flows were over the limits of their source, %d over those of the service%s",
				service.Name, is.SourceLimit, is.ServiceLimit, is.most))
		}
		if now.Sub(is.challenge) < alarmFor {
			s.Alarms = append(s.Alarms, fmt.Sprintf("service %s: %d SYNs were challenged, because its flows without an answer reached limits.syn_challenge: a SYN flood, or backends that do not answer",
				service.Name, is.Challenged))
		}
		if now.Sub(is.table) < alarmFor {
			s.Alarms = append(s.Alarms, fmt.Sprintf("service %s: %d new flows found no room in the table: raise max_flows", service.Name, is.TableFull))
		}
	}
}
