package sim

import (
	"fmt"
	"net/netip"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/health"
	"baton/impl/node"
	"baton/impl/trace"
)

// checks models the daemon's balancer: one pool of backends per service. A health check succeeds
// if a packet could cross the link and the backend's servers run. It is empty if the plan
// configures no checks.
type checks struct {
	cfg   health.Check
	pools []*health.Pool // by service
	at    clock.Instant  // of the next scheduled turn
}

// A frozen daemon tries again after thawEvery. A failed write of services is repeated after
// rewriteAfter.
const (
	thawEvery    = 5 * time.Millisecond
	rewriteAfter = time.Second
)

func (w *World) newChecks(id string) (checks, error) {
	s := settings{plan: w.plan, node: id}
	if s.text("check.type") == "none" {
		return checks{}, nil
	}
	return checks{cfg: health.Check{
		Interval: s.duration("check.interval"), Timeout: s.duration("check.timeout"), Rise: s.number("check.rise"),
		Fall: s.number("check.fall"), Jitter: s.number("check.jitter"), SlowStart: s.duration("check.slow_start"),
	}}, s.err
}

// startChecks creates the pools of a daemon at its start.
func (p *process) startChecks(life uint64) {
	p.checks.pools, p.checks.at = nil, clock.Never
	if p.checks.cfg.Interval == 0 {
		return
	}
	p.startPools()
	p.turnChecks(life)
}

// startPools creates the pools of a daemon unless they exist.
func (p *process) startPools() {
	if p.checks.pools != nil {
		return
	}
	for _, s := range p.tables.Services {
		pool := health.New(p.healthOf(s), p.random.Uint64(), p.w.now)
		pool.Step(p.w.now, health.Timer{}) // yields the initial decisions
		p.checks.pools = append(p.checks.pools, pool)
	}
}

func (p *process) healthOf(s dataplane.Service) health.Config {
	c := health.Config{Check: p.checks.cfg}
	for _, b := range s.Backends {
		c.Backends = append(c.Backends, health.Backend{Addr: addrPort(b), Weight: 1})
	}
	return c
}

func addrPort(b dataplane.Backend) netip.AddrPort {
	return b.Addr.WithPort(b.Port)
}

// balanced returns the services with only those backends that get new flows.
func (p *process) balanced() []dataplane.Service {
	services := append([]dataplane.Service(nil), p.tables.Services...)
	for i, pool := range p.checks.pools {
		services[i].Backends, services[i].Weights = nil, []int{}
		for _, share := range pool.Shares() {
			services[i].Backends = append(services[i].Backends, dataplane.Backend{Addr: flow.AddrFrom(share.Backend.Addr()), Port: share.Backend.Port()})
			services[i].Weights = append(services[i].Weights, share.Weight)
		}
	}
	return services
}

// reconfigureChecks passes changed services to the pools.
func (p *process) reconfigureChecks() {
	for i, pool := range p.checks.pools {
		pool.Step(p.w.now, health.Configure{Config: p.healthOf(p.tables.Services[i])})
	}
	p.turnChecks(p.life)
}

// turnChecks handles the pools' due timers and effects, and schedules its next turn.
func (p *process) turnChecks(life uint64) {
	if p.life != life || p.table == nil {
		return
	}
	if p.frozen {
		p.w.at(p.w.now.Add(thawEvery), func() { p.turnChecks(life) })
		return
	}
	next, write := clock.Never, false
	for i, pool := range p.checks.pools {
		if p.w.now >= pool.Deadline() {
			pool.Step(p.w.now, health.Timer{})
		}
		for _, e := range pool.Ready() {
			switch e := e.(type) {
			case health.Probe:
				p.checkBackend(life, i, e)
			case health.Write:
				write = true
			case health.Decided:
				p.tellDecisions(life, i)
			case health.Change:
				p.tellBackend(i, e)
			}
		}
		next = min(next, pool.Deadline())
	}
	if write {
		p.writeBackends(life)
	}
	if next < p.checks.at || p.checks.at <= p.w.now {
		p.checks.at = next
		p.w.at(next, func() {
			if p.checks.at == next {
				p.turnChecks(life)
			}
		})
	}
}

// checkBackend probes a backend and schedules the result. A node that is frozen when the probe times out learns
// nothing from it.
func (p *process) checkBackend(life uint64, pool int, e health.Probe) {
	took, failure := p.portProbe(e.Backend)
	limit := p.checks.cfg.Timeout
	silent := took >= limit
	if silent {
		took, failure = limit, fmt.Sprintf("no answer within %v", limit)
	}
	p.w.at(p.w.now.Add(took), func() {
		if p.life == life {
			p.checks.pools[pool].Step(p.w.now, health.Result{ID: e.ID, Err: failure, Undecided: silent && p.frozen})
			p.turnChecks(life)
		}
	})
}

// portProbe returns the duration of a probe, and its error if the connection is refused.
func (p *process) portProbe(backend netip.AddrPort) (time.Duration, string) {
	limit := p.checks.cfg.Timeout
	host := p.w.hostOf(flow.AddrFrom(backend.Addr()))
	if host == nobody || !p.powered || p.w.hosts[host].dark {
		return limit, ""
	}
	took := p.probeTime(onBackends, p.index, host, limit) + p.probeTime(onBackends, host, p.index, limit)
	if p.w.hosts[host].ended {
		return took, "connection refused"
	}
	return took, ""
}

// tellBackend records the new state of a backend, and removes flows from one that is down or drained.
func (p *process) tellBackend(pool int, e health.Change) {
	s := p.tables.Services[pool]
	p.w.record(trace.Event{At: p.w.now, Node: p.id, Kind: trace.KindNote,
		Note: fmt.Sprintf("backend %v of service %s: %v, was %v: %s", e.Backend, s.Name, e.To, e.From, e.Why)})
	if e.To == health.Down || e.To == health.Drained {
		life := p.life
		p.w.at(p.w.now, func() { p.leaveBackend(life, s, e.Backend) })
	}
}

// writeBackends writes the serving backends to the dataplane, and retries until that succeeds.
func (p *process) writeBackends(life uint64) {
	if p.life != life || p.table == nil {
		return
	}
	if err := p.table.SetServices(p.balanced(), p.tables.VIPs); err != nil {
		p.w.at(p.w.now.Add(rewriteAfter), func() { p.writeBackends(life) })
	}
	p.changed()
}

// leaveRetry is after how long leaveBackend tries again while the daemon is frozen or busy.
const leaveRetry = time.Millisecond

// leaveBackend removes a backend's flows that can move to another without loss: UDP flows and
// connections in SYN_SENT. The next packet of each opens a new flow.
func (p *process) leaveBackend(life uint64, s dataplane.Service, backend netip.AddrPort) {
	if p.life != life || p.table == nil || p.until <= p.w.now {
		return
	}
	if p.frozen || p.busy() {
		p.w.at(p.w.now.Add(leaveRetry), func() { p.leaveBackend(life, s, backend) })
		return
	}
	var events []flow.Event
	var tuples []flow.Tuple
	services := dataplane.FinderOf(p.tables.Services)
	p.dataplane.Advance(p.clock.local(p.w.now))
	err := p.table.Dump(func(e flow.Entry) bool {
		here := services.Of(&e.Original) == s.Service && addrPort(s.BackendOf(&e.Reply)) == backend
		if here && (e.State == flow.SynSent || e.Original.Proto == flow.UDP) {
			events = append(events, flow.Event{Entry: e, Deleted: true})
			tuples = append(tuples, e.Original)
		}
		return true
	})
	switch {
	case err != nil, len(events) == 0:
	case p.table.Delete(tuples) != nil:
		p.input(life, node.Lost{})
	default:
		p.w.forget(events)
		p.readFlows() // read older events first, or they would restore the flow in the core's table
		p.input(life, node.Flows{Events: events})
	}
}
