package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"baton/impl/clock"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/dataplane"
	"baton/impl/health"
)

// balancer drives the pool of each service: it has backends probed, and says which of them
// get new flows. It runs beside the loop, which has its heartbeat to keep, and two services
// do not wait for each other.
type balancer struct {
	now   func() clock.Instant
	probe func(context.Context, config.Service, netip.AddrPort) error
	note  func(string)  // records what has become of a backend
	wake  chan struct{} // holds one if the pools are to be looked at
	dirty chan struct{} // holds one if the services are to be written

	mu      sync.Mutex
	pools   []*pool
	leaving []leaving
}

// pool is the backends of one service.
type pool struct {
	*health.Pool
	service config.Service
}

// leaving is a backend whose flows are to leave it.
type leaving struct {
	service config.Service
	backend netip.AddrPort
}

func newBalancer(services []config.Service, now func() clock.Instant, probe func(context.Context, config.Service, netip.AddrPort) error, note func(string)) *balancer {
	b := &balancer{now: now, probe: probe, note: note, wake: make(chan struct{}, 1), dirty: make(chan struct{}, 1)}
	b.configure(services)
	return b
}

// set puts a token into a channel that holds one.
func set(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// configure takes services over. A backend that stays in its service keeps its state.
func (b *balancer) configure(services []config.Service) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pools := make([]*pool, len(services))
	for i, s := range services {
		if old := b.find(s.Name); old != nil {
			old.Step(b.now(), health.Configure{Config: s.Health()})
			pools[i] = &pool{old.Pool, s}
			continue
		}
		pools[i] = &pool{health.New(s.Health(), rand.Uint64(), b.now()), s}
	}
	b.pools = pools
	set(b.wake)
}

// find returns the pool of a service, nil if there is none. The caller holds mu.
func (b *balancer) find(name string) *pool {
	i := slices.IndexFunc(b.pools, func(p *pool) bool { return p.service.Name == name })
	if i < 0 {
		return nil
	}
	return b.pools[i]
}

// step hands an input to the pool of a service, and reports whether there is one.
func (b *balancer) step(service string, in health.Input) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.find(service)
	if p == nil {
		return false
	}
	p.Step(b.now(), in)
	set(b.wake)
	return true
}

// services is what the dataplane gets: services with the backends that get new flows.
func (b *balancer) services(configured []config.Service) []dataplane.Service {
	b.mu.Lock()
	defer b.mu.Unlock()
	services := make([]dataplane.Service, len(configured))
	for i, s := range configured {
		if p := b.find(s.Name); p != nil {
			s = s.With(p.Shares())
		}
		services[i] = s.Dataplane()
	}
	return services
}

// run drives the pools until ctx is done, and returns when no probe is under way.
func (b *balancer) run(ctx context.Context) {
	var probes sync.WaitGroup
	defer probes.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(b.turn(ctx, &probes))
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-timer.C:
		}
	}
}

// idle is how long a turn waits that nothing asks for.
const idle = time.Minute

// turn lets the pools do what is due, and returns how long it is to the next time.
func (b *balancer) turn(ctx context.Context, probes *sync.WaitGroup) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.now().Add(idle)
	for _, p := range b.pools {
		if b.now() >= p.Deadline() {
			p.Step(b.now(), health.Timer{})
		}
		for _, e := range p.Ready() {
			b.carryOut(ctx, probes, p.service, e)
		}
		next = min(next, p.Deadline())
	}
	return max(next.Sub(b.now()), 0)
}

// carryOut does what a pool wants done. The caller holds mu.
func (b *balancer) carryOut(ctx context.Context, probes *sync.WaitGroup, s config.Service, e health.Effect) {
	switch e := e.(type) {
	case health.Probe:
		probes.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Check.Timeout))
			defer cancel()
			result := health.Result{ID: e.ID}
			if err := b.probe(ctx, s, e.Backend); err != nil {
				result.Err = err.Error()
			}
			b.step(s.Name, result)
		})
	case health.Write:
		set(b.dirty)
	case health.Change:
		b.note(fmt.Sprintf("backend %v of service %s: %v, was %v: %s", e.Backend, s.Name, e.To, e.From, e.Why))
		if e.To == health.Down || e.To == health.Drained {
			b.leaving = append(b.leaving, leaving{s, e.Backend})
			set(b.dirty)
		}
	default:
		panic(fmt.Sprintf("daemon: a pool has an effect that nobody carries out: %T", e))
	}
}

// flush writes the services and returns the backends whose flows are to leave them now:
// those that got no new flows as the writing began. Of one that dies meanwhile, the services
// that were written know nothing.
func (b *balancer) flush(write func() error) ([]leaving, error) {
	b.mu.Lock()
	list := b.leaving
	b.leaving = nil
	b.mu.Unlock()
	err := write()
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.leaving = append(list, b.leaving...)
		return nil, err
	}
	return list, nil
}

// leaveAll has the flows of every backend that is down or drained leave it: a node that
// comes to serve may hold some that the one before had not moved yet.
func (b *balancer) leaveAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.pools {
		for _, s := range p.Status(b.now()) {
			if s.State == health.Down || s.State == health.Drained {
				b.leaving = append(b.leaving, leaving{p.service, s.Backend})
				set(b.dirty)
			}
		}
	}
}

// describe shows every service with its backends.
func (b *balancer) describe() []control.Service {
	b.mu.Lock()
	defer b.mu.Unlock()
	services := make([]control.Service, len(b.pools))
	for i, p := range b.pools {
		s := control.Service{
			Name: p.service.Name, At: p.service.Dataplane().Service.String(),
			Serving: len(p.Shares()), Checked: p.service.Health().Check.Interval > 0,
		}
		for _, backend := range p.Status(b.now()) {
			s.Backends = append(s.Backends, control.Backend{
				At: backend.Backend.String(), State: backend.State.String(), Weight: backend.Weight, Why: backend.Why,
				Since: backend.Since, Left: backend.Left, Probes: backend.Probed, Failures: backend.Failed,
			})
		}
		services[i] = s
	}
	return services
}

// serviceAlarms tells of services that nobody serves.
func serviceAlarms(services []control.Service) []string {
	var alarms []string
	for _, s := range services {
		if s.Serving == 0 {
			alarms = append(alarms, fmt.Sprintf("service %s has no backend that serves: new flows are dropped", s.Name))
		}
	}
	return alarms
}

// admin hands what an operator wants of a backend to its pool.
func (d *daemon) admin(service string, backend netip.AddrPort, in health.Input) error {
	d.balancer.mu.Lock()
	p := d.balancer.find(service)
	there := p != nil && slices.Contains(p.service.Backends, backend)
	d.balancer.mu.Unlock()
	if !there {
		return fmt.Errorf("service %q has no backend %v; baton status lists them", service, backend)
	}
	d.balancer.step(service, in)
	return nil
}
