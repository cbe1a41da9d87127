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
}

// refused counts the refused flows of one service.
type refused struct {
	dataplane.Refusals
	port, table time.Time // last refusal for want of a SNAT port, and of room in the table
}

// note stores the dataplane's current counts. They start again when a service is
// re-created.
func (r *refusals) note(counts map[flow.Service]dataplane.Refusals, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.seen
	r.seen = make(map[string]refused, len(counts))
	for service, n := range counts {
		is := was[service.String()]
		if n.NoPort > is.NoPort {
			is.port = now
		}
		if n.TableFull > is.TableFull {
			is.table = now
		}
		is.Refusals = n
		r.seen[service.String()] = is
	}
}

// describe adds the counts to the services of a status, and an alarm while flows are
// refused and for a minute afterwards.
func (r *refusals) describe(s *control.Status, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range s.Services {
		service := &s.Services[i]
		is, known := r.seen[service.At]
		if !known {
			continue
		}
		service.Refused = map[string]uint64{
			dataplane.DropNoBackend.String(): is.NoBackend, dataplane.DropNoPort.String(): is.NoPort, dataplane.DropTableFull.String(): is.TableFull,
		}
		if now.Sub(is.port) < alarmFor {
			s.Alarms = append(s.Alarms, fmt.Sprintf("service %s: %d new flows found no free SNAT port: widen snat_ports, or add backends", service.Name, is.NoPort))
		}
		if now.Sub(is.table) < alarmFor {
			s.Alarms = append(s.Alarms, fmt.Sprintf("service %s: %d new flows found no room in the table: raise max_flows", service.Name, is.TableFull))
		}
	}
}
