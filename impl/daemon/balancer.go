package daemon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"baton/impl/clock"
	"baton/impl/daemon/checker"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/health"
	"baton/impl/node"
)

// balancer drives the pool of each service: it probes backends and decides which of them
// get new flows. It runs outside of the event loop, so that probes cannot delay the
// heartbeat, and services do not wait for each other.
type balancer struct {
	now   func() clock.Instant
	probe func(context.Context, config.Service, netip.AddrPort) error // ends with the check's timeout
	note  func(string)                                                // records a backend's change of state
	tell  func(node.Decided)                                          // tells the core what this node has decided
	wake  chan struct{}                                               // holds a token if the pools must be checked
	dirty chan struct{}                                               // holds a token if the services must be written

	mu      sync.Mutex
	pools   []*pool
	leaving []leaving
	// followed is what the MASTER has decided, by service, while this node follows it.
	followed map[string]followed
}

// followed is a decision of the MASTER and when it arrived.
type followed struct {
	decisions []health.Decision
	at        clock.Instant
}

// pool is the backends of one service.
type pool struct {
	*health.Pool
	service config.Service
}

// leaving is a backend whose flows must be moved away.
type leaving struct {
	service config.Service
	backend netip.AddrPort
}

func newBalancer(services []config.Service, now func() clock.Instant, probe func(context.Context, config.Service, netip.AddrPort) error, note func(string), tell func(node.Decided)) *balancer {
	b := &balancer{now: now, probe: probe, note: note, tell: tell, followed: map[string]followed{}, wake: make(chan struct{}, 1), dirty: make(chan struct{}, 1)}
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

// configure applies services. A backend that stays in its service keeps its state.
func (b *balancer) configure(services []config.Service) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pools := make([]*pool, len(services))
	for i, s := range services {
		pools[i] = b.planned(s)
	}
	for _, old := range b.pools {
		if !slices.ContainsFunc(services, func(s config.Service) bool { return s.Name == old.service.Name }) {
			b.tell(node.Decided{Topic: health.Topic(old.service.Name)})
		}
	}
	b.pools = pools
	set(b.wake)
}

// planned returns a service's pool as configure would make it: a copy of its present one, or a new
// one. The caller holds mu.
func (b *balancer) planned(s config.Service) *pool {
	var p *pool
	if old := b.find(s.Name); old != nil {
		p = &pool{old.Clone(), s}
		p.Step(b.now(), health.Configure{Config: s.Health()})
	} else {
		p = &pool{health.New(s.Health(), rand.Uint64(), b.now()), s}
		p.Step(b.now(), health.Timer{}) // reports the initial states
	}
	if f, follows := b.followed[s.Name]; follows { // a backend may be new
		p.Step(b.now(), health.Follow{Decisions: health.Aged(f.decisions, b.now().Sub(f.at))})
	}
	return p
}

// find returns the pool of a service, nil if there is none. The caller holds mu.
func (b *balancer) find(name string) *pool {
	i := slices.IndexFunc(b.pools, func(p *pool) bool { return p.service.Name == name })
	if i < 0 {
		return nil
	}
	return b.pools[i]
}

// step gives an input to a service's pool; false if there is none.
func (b *balancer) step(service string, in health.Input) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stepLocked(service, in)
}

// stepLocked is step for a caller that holds mu.
func (b *balancer) stepLocked(service string, in health.Input) bool {
	p := b.find(service)
	if p == nil {
		return false
	}
	p.Step(b.now(), in)
	set(b.wake)
	return true
}

// services returns services for the dataplane, with the backends that get new flows. They need not be
// configured: if the dataplane refuses them, nothing has changed here.
func (b *balancer) services(planned []config.Service) []dataplane.Service {
	b.mu.Lock()
	defer b.mu.Unlock()
	services := make([]dataplane.Service, len(planned))
	for i, s := range planned {
		services[i] = s.With(b.planned(s).Shares()).Dataplane()
	}
	return services
}

// run drives the pools until ctx is done, and returns when the last probe has ended.
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

// idle is the time between turns when nothing is due.
const idle = time.Minute

// turn runs the pools' due work, and returns the time until the next turn.
func (b *balancer) turn(ctx context.Context, probes *sync.WaitGroup) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.now().Add(idle)
	for _, p := range b.pools {
		if b.now() >= p.Deadline() {
			p.Step(b.now(), health.Timer{})
		}
		for _, e := range p.Ready() {
			b.carryOut(ctx, probes, p, e)
		}
		next = min(next, p.Deadline())
	}
	return max(next.Sub(b.now()), 0)
}

// carryOut executes a pool's effect. The caller holds mu.
func (b *balancer) carryOut(ctx context.Context, probes *sync.WaitGroup, p *pool, e health.Effect) {
	s := p.service
	switch e := e.(type) {
	case health.Probe:
		probes.Go(func() {
			result := health.Result{ID: e.ID}
			if err := b.probe(ctx, s, e.Backend); errors.Is(err, checker.ErrUndecided) {
				result.Undecided = true
			} else if err != nil {
				result.Err = err.Error()
			}
			b.step(s.Name, result)
		})
	case health.Write:
		set(b.dirty)
	case health.Decided:
		b.decided(p)
	case health.Change:
		b.note(fmt.Sprintf("backend %v of service %s: %v, was %v: %s", e.Backend, s.Name, e.To, e.From, e.Why))
		if e.To == health.Down || e.To == health.Drained {
			b.leaving = append(b.leaving, leaving{s, e.Backend})
			set(b.dirty)
		}
	default:
		panic(fmt.Sprintf("daemon: unknown effect of a pool: %T", e))
	}
}

// flush writes the services and returns the backends whose flows must now move: those
// without new flows when the write began. A backend that dies during the write is still in
// the written services.
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

// leaveAll moves the flows of every backend that is down or drained: a new MASTER may hold
// flows that the old one had not moved yet.
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

// describe returns the status of every service and its backends.
func (b *balancer) describe() []control.Service {
	b.mu.Lock()
	defer b.mu.Unlock()
	services := make([]control.Service, len(b.pools))
	for i, p := range b.pools {
		s := control.Service{
			Name: p.service.Name, At: p.service.Dataplane().Service.String(),
			Serving: len(p.Shares()), Checked: p.service.Health().Check.Interval > 0,
			Refuses: p.service.Dataplane().Refuse,
		}
		for _, backend := range p.Status(b.now()) {
			s.Backends = append(s.Backends, control.Backend{
				At: backend.Backend.String(), State: backend.State.String(), Weight: backend.Weight, Why: backend.Why,
				Since: backend.Since, Left: backend.Left, Probes: backend.Probed, Failures: backend.Failed, Undecided: backend.Undecided,
				Follows: backend.Follows, Disagrees: backend.Disagrees,
			})
		}
		services[i] = s
	}
	return services
}

// nameOf returns the name of a service, or its protocol, VIP and port if it has none.
func (b *balancer) nameOf(service flow.Service) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.pools {
		if p.service.Dataplane().Service == service {
			return p.service.Name
		}
	}
	return service.String()
}

// serviceAlarms returns an alarm for each service without a serving backend.
func serviceAlarms(services []control.Service) []string {
	var alarms []string
	for _, s := range services {
		if s.Serving > 0 {
			continue
		}
		fate := "dropped"
		if s.Refuses {
			fate = "refused"
		}
		alarms = append(alarms, fmt.Sprintf("service %s has no serving backend: new flows are %s", s.Name, fate))
	}
	return alarms
}

// checkAlarms reports health checks that do not run.
func checkAlarms(services []control.Service, why error) []string {
	if why == nil || !slices.ContainsFunc(services, func(s control.Service) bool { return s.Checked }) {
		return nil
	}
	return []string{fmt.Sprintf("backends are not checked and keep their state: %v", why)}
}

// admin passes an operator's input for a backend to its pool.
func (d *daemon) admin(service string, backend netip.AddrPort, in health.Input) error {
	b := d.balancer
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.find(service)
	if p == nil || !slices.Contains(p.service.Backends, backend) {
		return fmt.Errorf("service %q has no backend %v; baton status lists them", service, backend)
	}
	for _, s := range p.Status(b.now()) {
		if s.Backend == backend && s.Follows {
			return fmt.Errorf("this node follows the decisions of %s, the MASTER; send the command to it", d.cfg.Peer)
		}
	}
	b.stepLocked(service, in)
	return nil
}
